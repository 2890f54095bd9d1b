using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>POST /api/v1/webhooks/{id}/test</c>.</summary>
internal static class TestWebhook
{
    public static async Task<Results<Accepted<Success<DeliveryView>>, ProblemResult>> HandleAsync(
        string id, HttpRequest http, ClaimsPrincipal user, ReplayStore store, WebhookQueries queries, CancellationToken cancellationToken)
    {
        if (!WebhookIds.IsWebhook(id))
        {
            return WebhookAnswers.NotFound();
        }

        var deliveryId = WebhookIds.NewDelivery();
        var outcome = await store.TestAsync(user.GetUserId(), id, deliveryId, cancellationToken);
        return outcome switch
        {
            ReplayOutcome.Disabled => WebhookAnswers.Disabled(),
            ReplayOutcome.AlreadyPending => new ProblemResult(
                StatusCodes.Status409Conflict, ProblemCodes.DeliveryPending, "A test is pending: see what becomes of it before you ask for another one."),
            _ => await ReplayDelivery.AcceptedAsync(id, deliveryId, http, user, queries, WebhookAnswers.NotFound(), cancellationToken),
        };
    }
}
