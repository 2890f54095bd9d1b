using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;
using StatusUpdates.Webhooks.Deliveries;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>GET /api/v1/webhooks/{id}/deliveries</c> and <c>GET /api/v1/webhooks/{id}/deliveries/{deliveryId}</c>.</summary>
internal static class ListDeliveries
{
    private static readonly Parameter<string?> State = Parameters.OneOf("state", "Only deliveries in this state.", DeliveryState.All);

    private static readonly Parameter<int> Limit =
        Parameters.Integer(NextPage.Limit, "The maximum number of deliveries in the page.", 1, 100, absent: 50);

    private static readonly Parameter<string?> Cursor = Parameters.Text(
        NextPage.Cursor, "The nextCursor of the previous page.", WebhookIds.IsDelivery, "Must be the nextCursor of an earlier response.");

    public static Parameter[] Query { get; } = [State, Limit, Cursor];

    /// <summary>A page of a webhook's deliveries.</summary>
    public static async Task<Results<Ok<Success<DeliveryPage>>, ProblemResult>> HandleAsync(
        string id, HttpContext http, ClaimsPrincipal user, WebhookQueries queries, CancellationToken cancellationToken)
    {
        var query = new QueryReader(http.Request);
        var filter = new DeliveryFilter(query.Read(State), query.Read(Cursor), query.Read(Limit));
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        // An id that cannot exist is not looked up.
        if (!WebhookIds.IsWebhook(id)
            || await queries.ListDeliveriesAsync(user.GetUserId(), id, filter, cancellationToken) is not { } list)
        {
            return WebhookResponses.NotFound();
        }

        if (list.Next is { } next)
        {
            NextPage.Link(http, [State], filter.Limit, next);
        }

        return TypedResults.Ok(new Success<DeliveryPage>(new([.. list.Items.Select(DeliveryView.Of)], filter.Limit, list.Next)));
    }

    /// <summary>One delivery, with its attempts.</summary>
    public static async Task<Results<Ok<Success<DeliveryView>>, ProblemResult>> GetAsync(
        string id, string deliveryId, ClaimsPrincipal user, WebhookQueries queries, CancellationToken cancellationToken) =>
        WebhookIds.IsWebhook(id)
        && WebhookIds.IsDelivery(deliveryId)
        && await queries.FindDeliveryAsync(user.GetUserId(), id, deliveryId, cancellationToken) is { } delivery
            ? TypedResults.Ok(new Success<DeliveryView>(DeliveryView.WithAttempts(delivery)))
            : WebhookResponses.DeliveryNotFound();
}
