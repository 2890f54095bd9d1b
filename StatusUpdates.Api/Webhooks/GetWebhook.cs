using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>GET /api/v1/webhooks</c> and <c>GET /api/v1/webhooks/{id}</c>.</summary>
internal static class GetWebhook
{
    public static async Task<Ok<Success<WebhookList>>> ListAsync(
        ClaimsPrincipal user, WebhookQueries queries, WebhookResponses responses, CancellationToken cancellationToken)
    {
        var webhooks = await queries.ListAsync(user.GetUserId(), cancellationToken);
        return TypedResults.Ok(new Success<WebhookList>(new([.. webhooks.Select(responses.View)])));
    }

    public static async Task<Results<Ok<Success<WebhookView>>, ProblemResult>> HandleAsync(
        string id, ClaimsPrincipal user, WebhookQueries queries, WebhookResponses responses, CancellationToken cancellationToken) =>
        WebhookIds.IsWebhook(id) && await queries.FindAsync(user.GetUserId(), id, cancellationToken) is { } webhook
            ? TypedResults.Ok(new Success<WebhookView>(responses.View(webhook)))
            : WebhookResponses.NotFound();
}
