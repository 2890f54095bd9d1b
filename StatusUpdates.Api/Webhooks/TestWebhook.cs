using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;
using StatusUpdates.Webhooks.Replays;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>POST /api/v1/webhooks/{id}/test</c>.</summary>
internal static class TestWebhook
{
    public static async Task<Results<Accepted<Success<DeliveryView>>, ProblemResult>> HandleAsync(
        string id, HttpRequest http, ClaimsPrincipal user, ReplayStore store, WebhookQueries queries, CancellationToken cancellationToken)
    {
        if (!WebhookIds.IsWebhook(id))
        {
            return WebhookResponses.NotFound();
        }

        var deliveryId = WebhookIds.NewDelivery();
        var outcome = await store.TestAsync(user.GetUserId(), id, deliveryId, cancellationToken);
        return outcome switch
        {
            ReplayOutcome.Disabled => WebhookResponses.Disabled(),
            ReplayOutcome.AlreadyPending => new ProblemResult(
                ProblemCodes.DeliveryPending, "A test is already pending; wait for its outcome before you request another one."),
            _ => await ReplayDelivery.AcceptedAsync(id, deliveryId, http, user, queries, WebhookResponses.NotFound(), cancellationToken),
        };
    }
}
