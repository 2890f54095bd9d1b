using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;
using StatusUpdates.Webhooks.Keys;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Benchmarks.Webhooks;

/// <summary>Registers webhooks as the API does, and removes them.</summary>
internal sealed class Registrations(StatusDatabase database)
{
    /// <summary>Registers webhooks that receive the updates of their users from now on.</summary>
    public async Task RegisterAsync(IEnumerable<(string UserId, string Url)> webhooks, CancellationToken cancellationToken)
    {
        await using var services = new ServiceCollection()
            .AddLogging()
            .AddSingleton(database)
            .AddSigningKeyProtector()
            .Services.BuildServiceProvider();
        var protector = services.GetRequiredService<SigningKeyProtector>();
        var store = new WebhookStore(database);
        foreach (var (userId, url) in webhooks)
        {
            var id = WebhookIds.NewWebhook();
            await store.CreateAsync(
                new Webhook
                {
                    Id = id,
                    UserId = userId,
                    Url = url,
                    SigningKeys = protector.Protect(id, SigningKeys.Create()),
                    CreatedAt = default,
                    UpdatedAt = default,
                },
                new(PerUser: int.MaxValue, PerUrl: int.MaxValue),
                cancellationToken);
        }
    }

    public async Task RemoveBadAsync(CancellationToken cancellationToken)
    {
        await using var command = database.DataSource.CreateCommand(
            """
            WITH removed AS (DELETE FROM webhooks WHERE url LIKE '%/bad/%' RETURNING id)
            DELETE FROM durable_cursors WHERE owner IN (SELECT 'webhook:' || id FROM removed)
            """);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>How many deliveries of healthy webhooks were not recorded as delivered by the first attempt.</summary>
    public async Task<long> CountNotDeliveredFirstAsync(CancellationToken cancellationToken)
    {
        await using var command = database.DataSource.CreateCommand(
            """
            SELECT count(*) FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
            WHERE w.url NOT LIKE '%/bad/%' AND (d.state <> 'delivered' OR d.attempt <> 1)
            """);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
