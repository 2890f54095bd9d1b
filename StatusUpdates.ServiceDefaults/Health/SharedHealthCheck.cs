using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace StatusUpdates.ServiceDefaults.Health;

/// <summary>
/// One health check for all concurrent callers. Concurrency: callers join the run under way or start one; a caller waits
/// <paramref name="timeout"/> at most. Lifecycle: a run that does not end by its token is waited for by the next callers, never doubled.
/// </summary>
internal sealed class SharedHealthCheck(Func<IServiceProvider, IHealthCheck> factory, TimeSpan timeout)
{
    private readonly Lock _gate = new();
    private Task<HealthCheckResult>? _running;

    /// <summary>The check as a health-check registration's factory hands it out.</summary>
    public IHealthCheck Bind(IServiceProvider services) => new Caller(this, services.GetRequiredService<IServiceScopeFactory>());

    private Task<HealthCheckResult> Join(IServiceScopeFactory scopes, HealthCheckContext context)
    {
        lock (_gate)
        {
            // On the thread pool, because a client's first connect may block.
            return _running is { IsCompleted: false } running ? running : _running = Task.Run(() => RunAsync(scopes, context));
        }
    }

    private async Task<HealthCheckResult> RunAsync(IServiceScopeFactory scopes, HealthCheckContext context)
    {
        using var deadline = new CancellationTokenSource(timeout);
        try
        {
            // A scope of its own: the caller's ends when the caller stops waiting.
            await using var scope = scopes.CreateAsyncScope();
            return await factory(scope.ServiceProvider).CheckHealthAsync(context, deadline.Token);
        }
        catch (OperationCanceledException e) when (deadline.IsCancellationRequested)
        {
            return Failed(context, $"No answer within {timeout.TotalSeconds:0.#} s.", e);
        }
#pragma warning disable CA1031 // Whatever a check throws is the state of its dependency.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return Failed(context, "The check failed.", e);
        }
    }

    private static HealthCheckResult Failed(HealthCheckContext context, string description, Exception? exception = null) =>
        new(context.Registration.FailureStatus, description, exception);

    private sealed class Caller(SharedHealthCheck check, IServiceScopeFactory scopes) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                return await check.Join(scopes, context).WaitAsync(check.Timeout, cancellationToken);
            }
            catch (TimeoutException)
            {
                return Failed(context, $"No answer within {check.Timeout.TotalSeconds:0.#} s.");
            }
        }
    }

    private TimeSpan Timeout => timeout;
}
