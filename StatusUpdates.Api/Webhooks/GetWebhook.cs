using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>GET /api/v1/webhooks</c> and <c>GET /api/v1/webhooks/{id}</c>.</summary>
internal static class GetWebhook
{
    public static async Task<Ok<Success<WebhookList>>> ListAsync(
        ClaimsPrincipal user, WebhookQueries queries, WebhookAnswers answers, CancellationToken cancellationToken)
    {
        var webhooks = await queries.ListAsync(user.GetUserId(), cancellationToken);
        return TypedResults.Ok(new Success<WebhookList>(new([.. webhooks.Select(answers.View)])));
    }

    public static async Task<Results<Ok<Success<WebhookView>>, ProblemResult>> HandleAsync(
        string id, ClaimsPrincipal user, WebhookQueries queries, WebhookAnswers answers, CancellationToken cancellationToken) =>
        WebhookIds.IsWebhook(id) && await queries.FindAsync(user.GetUserId(), id, cancellationToken) is { } webhook
            ? TypedResults.Ok(new Success<WebhookView>(answers.View(webhook)))
            : WebhookAnswers.NotFound();
}
