using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace StatusUpdates.Messaging;

/// <summary>Whether Redis works for status updates. Sends nothing itself: reports how the latest messages and subscriptions went.</summary>
internal sealed class MessagingHealthCheck(MessagingWatch watch) : IHealthCheck
{
    // The name must contain "Redis": failures of such checks only degrade a service.
    public const string Name = "Redis messages";

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(watch.Trouble is { } trouble ? HealthCheckResult.Degraded(trouble) : HealthCheckResult.Healthy());
}
