using System.Globalization;
using System.Security.Claims;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>GET /api/v1/webhooks/{id}/deliveries</c> and <c>GET /api/v1/webhooks/{id}/deliveries/{deliveryId}</c>.</summary>
internal static class ListDeliveries
{
    public const string State = "state";
    public const string Limit = "limit";
    public const string Cursor = "cursor";

    public const int DefaultLimit = 50;
    public const int MaxLimit = 100;

    public static async Task<Results<Ok<Success<DeliveryPage>>, ProblemResult>> HandleAsync(
        string id, HttpContext http, ClaimsPrincipal user, WebhookQueries queries, CancellationToken cancellationToken)
    {
        var query = new QueryReader(http.Request.Query);
        var filter = new DeliveryFilter(
            query.Reference<string>(State, TryParseState, $"Allowed are: {string.Join(", ", DeliveryState.All)}."),
            query.Reference<string>(Cursor, TryParseCursor, "Must be a nextCursor of an earlier answer."),
            query.Integer(Limit, 1, MaxLimit) ?? DefaultLimit);
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        if (!WebhookIds.IsWebhook(id)
            || await queries.ListDeliveriesAsync(user.GetUserId(), id, filter, cancellationToken) is not { } list)
        {
            return WebhookAnswers.NotFound();
        }

        if (list.Next is { } next)
        {
            http.Response.Headers.Link = $"<{NextPage(http.Request, filter, next)}>; rel=\"next\"";
        }

        return TypedResults.Ok(new Success<DeliveryPage>(new([.. list.Items.Select(DeliveryView.Of)], filter.Limit, list.Next)));
    }

    public static async Task<Results<Ok<Success<DeliveryView>>, ProblemResult>> GetAsync(
        string id, string deliveryId, ClaimsPrincipal user, WebhookQueries queries, CancellationToken cancellationToken) =>
        WebhookIds.IsWebhook(id)
        && WebhookIds.IsDelivery(deliveryId)
        && await queries.FindDeliveryAsync(user.GetUserId(), id, deliveryId, cancellationToken) is { } delivery
            ? TypedResults.Ok(new Success<DeliveryView>(DeliveryView.WithAttempts(delivery)))
            : WebhookAnswers.NoDelivery();

    // RFC 8288 takes a relative reference, which holds behind any proxy.
    private static string NextPage(HttpRequest request, DeliveryFilter filter, string cursor)
    {
        var query = new QueryBuilder();
        if (filter.State is { } state)
        {
            query.Add(State, state);
        }

        query.Add(Limit, filter.Limit.ToString(CultureInfo.InvariantCulture));
        query.Add(Cursor, cursor);
        return $"{request.PathBase}{request.Path}{query}";
    }

    private static bool TryParseState(string text, out string? state)
    {
        state = text;
        return DeliveryState.All.Contains(text, StringComparer.Ordinal);
    }

    private static bool TryParseCursor(string text, out string? cursor)
    {
        cursor = text;
        return WebhookIds.IsDelivery(text);
    }
}
