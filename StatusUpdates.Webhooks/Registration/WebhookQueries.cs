using Microsoft.EntityFrameworkCore;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Webhooks.Registration;

/// <summary>Reads a user's webhooks and their deliveries. Not thread-safe, like its EF Core context.</summary>
public sealed class WebhookQueries(StatusDbContext context)
{
    // The columns of a list. Of the attempts only the last one: ten, with the beginnings of their responses, take some 10 KiB.
    private const string ListedSql =
        """
        SELECT id, webhook_id, seq, generation_id, message_id, type, NULL::text AS body, state, attempt, created_at, next_attempt_at,
               last_attempt_at, status_code, CASE WHEN jsonb_array_length(attempts) > 0 THEN jsonb_build_array(attempts -> -1) END AS attempts
        FROM webhook_deliveries
        """;

    /// <summary>All webhooks of a user, the oldest first.</summary>
    public Task<List<Webhook>> ListAsync(string userId, CancellationToken cancellationToken = default) =>
        context.Webhooks.AsNoTracking().TagWith("list webhooks").Where(w => w.UserId == userId).OrderBy(w => w.Id).ToListAsync(cancellationToken);

    /// <summary>The webhook, or null if this user has none with that id.</summary>
    public Task<Webhook?> FindAsync(string userId, string webhookId, CancellationToken cancellationToken = default) =>
        context.Webhooks.AsNoTracking().TagWith("find webhook").SingleOrDefaultAsync(w => w.Id == webhookId && w.UserId == userId, cancellationToken);

    /// <summary>A page of a webhook's deliveries, newest first, with their last attempts and no messages; null if there is no such webhook.</summary>
    /// <param name="userId">The user.</param>
    /// <param name="webhookId">The user's webhook.</param>
    /// <param name="filter">Which of its deliveries.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    public async Task<DeliveryList?> ListDeliveriesAsync(
        string userId, string webhookId, DeliveryFilter filter, CancellationToken cancellationToken = default)
    {
        if (!await context.Webhooks.TagWith("find webhook").AnyAsync(w => w.Id == webhookId && w.UserId == userId, cancellationToken))
        {
            return null;
        }

        var deliveries = context.WebhookDeliveries.FromSqlRaw(ListedSql).AsNoTracking().Where(d => d.WebhookId == webhookId);
        if (filter.State is { } state)
        {
            deliveries = deliveries.Where(d => d.State == state);
        }

        if (filter.Before is { } before)
        {
            deliveries = deliveries.Where(d => string.Compare(d.Id, before) < 0);
        }

        // One more than requested tells whether there is a next page.
        var items = await deliveries.TagWith("list deliveries").OrderByDescending(d => d.Id).Take(filter.Limit + 1).ToListAsync(cancellationToken);
        if (items.Count <= filter.Limit)
        {
            return new(items, null);
        }

        items.RemoveAt(filter.Limit);
        return new(items, items[^1].Id);
    }

    /// <summary>The delivery, or null if this user has no such webhook, or the webhook no such delivery.</summary>
    public Task<WebhookDelivery?> FindDeliveryAsync(
        string userId, string webhookId, string deliveryId, CancellationToken cancellationToken = default) =>
        context.WebhookDeliveries.AsNoTracking().TagWith("find delivery").SingleOrDefaultAsync(
            d => d.Id == deliveryId && d.WebhookId == webhookId && context.Webhooks.Any(w => w.Id == webhookId && w.UserId == userId),
            cancellationToken);
}

/// <summary>Which deliveries of a webhook.</summary>
/// <param name="State">Only those in this state; null for all.</param>
/// <param name="Before">Only those after this one in the list, which begins with the newest; null for the first page.</param>
/// <param name="Limit">The maximum number.</param>
public sealed record DeliveryFilter(string? State, string? Before, int Limit);

/// <summary>A page of deliveries, newest first.</summary>
/// <param name="Items">The page.</param>
/// <param name="Next">The <see cref="DeliveryFilter.Before"/> of the next page; null on the last one.</param>
public sealed record DeliveryList(IReadOnlyList<WebhookDelivery> Items, string? Next);
