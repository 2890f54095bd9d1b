using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;
using StatusUpdates.Webhooks.Replays;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>POST /api/v1/webhooks/{id}/deliveries/{deliveryId}/replay</c>.</summary>
internal static class ReplayDelivery
{
    public static async Task<Results<Accepted<Success<DeliveryView>>, ProblemResult>> HandleAsync(
        string id,
        string deliveryId,
        HttpRequest http,
        ClaimsPrincipal user,
        ReplayStore store,
        WebhookQueries queries,
        CancellationToken cancellationToken)
    {
        if (!WebhookIds.IsWebhook(id) || !WebhookIds.IsDelivery(deliveryId))
        {
            return WebhookResponses.DeliveryNotFound();
        }

        return await store.ReplayAsync(user.GetUserId(), id, deliveryId, cancellationToken) switch
        {
            ReplayOutcome.Disabled => WebhookResponses.Disabled(),
            ReplayOutcome.Unproven => WebhookResponses.Unproven(),
            ReplayOutcome.AlreadyPending => new ProblemResult(
                ProblemCodes.DeliveryPending, "The delivery is already pending and will be attempted."),
            ReplayOutcome.Gone => new ProblemResult(
                ProblemCodes.UpdatesGone, "The update is no longer stored, so it cannot be delivered again."),
            ReplayOutcome.TooManyPending => WebhookResponses.TooManyPending(),
            _ => await AcceptedAsync(id, deliveryId, http, user, queries, WebhookResponses.DeliveryNotFound(), cancellationToken),
        };
    }

    /// <summary>202 with the delivery's current state, and the address to follow it at.</summary>
    public static async Task<Results<Accepted<Success<DeliveryView>>, ProblemResult>> AcceptedAsync(
        string id,
        string deliveryId,
        HttpRequest http,
        ClaimsPrincipal user,
        WebhookQueries queries,
        ProblemResult notFound,
        CancellationToken cancellationToken) =>
        await queries.FindDeliveryAsync(user.GetUserId(), id, deliveryId, cancellationToken) is { } delivery
            ? TypedResults.Accepted(
                $"{http.PathBase}{WebhookEndpoints.Path}/{id}/deliveries/{deliveryId}", new Success<DeliveryView>(DeliveryView.Of(delivery)))
            : notFound;
}
