using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace StatusUpdates.ServiceDefaults.Health;

/// <summary>
/// One health check for all concurrent callers. Concurrency: callers join the current run or start one; a caller waits at most
/// <paramref name="timeout"/>. Lifecycle: if a run ignores its token, later callers wait for it; a second run is never started beside it.
/// </summary>
internal sealed class SharedHealthCheck(Func<IServiceProvider, IHealthCheck> factory, TimeSpan timeout, IServiceScopeFactory scopes) : IHealthCheck
{
    private readonly Lock _gate = new();
    private Task<HealthCheckResult>? _running;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            return await Join(context).WaitAsync(timeout, cancellationToken);
        }
        catch (TimeoutException)
        {
            return Failed(context, $"No answer within {timeout.TotalSeconds:0.#} s.");
        }
    }

    private Task<HealthCheckResult> Join(HealthCheckContext context)
    {
        lock (_gate)
        {
            // On the thread pool: a client's first connect may block.
            return _running is { IsCompleted: false } running ? running : _running = Task.Run(() => RunAsync(context));
        }
    }

    private async Task<HealthCheckResult> RunAsync(HealthCheckContext context)
    {
        using var deadline = new CancellationTokenSource(timeout);
        try
        {
            // In a scope of its own: the caller's scope ends when the caller stops waiting.
            await using var scope = scopes.CreateAsyncScope();
            return await factory(scope.ServiceProvider).CheckHealthAsync(context, deadline.Token);
        }
        catch (OperationCanceledException e) when (deadline.IsCancellationRequested)
        {
            return Failed(context, $"No answer within {timeout.TotalSeconds:0.#} s.", e);
        }
        catch (Exception e)
        {
            // Any exception of a check means that its dependency has failed.
            return Failed(context, "The check failed.", e);
        }
    }

    private static HealthCheckResult Failed(HealthCheckContext context, string description, Exception? exception = null) =>
        new(context.Registration.FailureStatus, description, exception);
}
