using StatusUpdates.LocalHosting.Hosting;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>
/// How a test gets hold of the application that an AppHost's entry point describes. It flows with the execution context, so that tests may
/// run several entry points at once.
/// </summary>
internal sealed class AppHostInterception(EngineSettings settings)
{
    private static readonly AsyncLocal<AppHostInterception?> Flow = new();

    private readonly TaskCompletionSource<(DistributedApplicationBuilder, DistributedApplication)> _built =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static AppHostInterception? Current
    {
        get => Flow.Value;
        set => Flow.Value = value;
    }

    public EngineSettings Settings { get; } = settings;

    /// <summary>Completes when the entry point has described its application.</summary>
    public Task<(DistributedApplicationBuilder Builder, DistributedApplication Application)> WhenBuilt => _built.Task;

    /// <summary>Completes when the test is done and the entry point may return.</summary>
    public Task Released => _released.Task;

    public void Built(DistributedApplicationBuilder builder, DistributedApplication application) => _built.TrySetResult((builder, application));

    public void Ended(Exception? error) => _built.TrySetException(
        error ?? new DistributedApplicationException("The AppHost's entry point ended without having built an application."));

    public void Release() => _released.TrySetResult();
}
