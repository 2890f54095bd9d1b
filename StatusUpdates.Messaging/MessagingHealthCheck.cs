using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace StatusUpdates.Messaging;

/// <summary>Whether Redis does what updates need of it. Asks nothing: it tells what the last messages and subscriptions came to.</summary>
internal sealed class MessagingHealthCheck(MessagingWatch watch) : IHealthCheck
{
    // With Redis in its name: what fails there degrades a service, and no more.
    public const string Name = "Redis messages";

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(watch.Trouble is { } trouble ? HealthCheckResult.Degraded(trouble) : HealthCheckResult.Healthy());
}
