using System.Collections.Concurrent;
using System.Threading.Channels;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Tests.Worker;

/// <summary>A provider that runs a test's script and signals when it starts.</summary>
internal sealed class ScriptedProvider(
    Func<ProviderRequest, IProviderProgress, CancellationToken, Task<ProviderResult>> script) : IGenerationProvider
{
    private readonly Channel<ProviderRequest> _started = Channel.CreateBounded<ProviderRequest>(10_000);
    private readonly ConcurrentDictionary<string, bool> _running = new(StringComparer.Ordinal);

    /// <summary>A result for tests that do not care about its content.</summary>
    public static ProviderResult Result => new([new ProviderContent("image/png", [1, 2, 3])], 7);

    /// <summary>Generations that were started while they were already running.</summary>
    public ConcurrentQueue<string> Overlapped { get; } = [];

    /// <summary>All runs, in the order in which they started.</summary>
    public ConcurrentQueue<ProviderRequest> Runs { get; } = [];

    /// <summary>Finishes at once.</summary>
    public static ScriptedProvider Finishing() => new((_, _, _) => Task.FromResult(Result));

    /// <summary>Fails at once.</summary>
    public static ScriptedProvider Failing(Func<Exception> failure) => new((_, _, _) => throw failure());

    /// <summary>Waits until it is stopped, as a provider should.</summary>
    public static ScriptedProvider WaitingForStop() => new(async (_, _, token) =>
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, token);
        return Result;
    });

    /// <summary>The next run that starts.</summary>
    public Task<ProviderRequest> NextStartAsync(CancellationToken cancellationToken) =>
        _started.Reader.ReadAsync(cancellationToken).AsTask().WaitAsync(TestTime.Patience, cancellationToken);

    public async Task<ProviderResult> GenerateAsync(ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken)
    {
        if (!_running.TryAdd(request.GenerationId, true))
        {
            Overlapped.Enqueue(request.GenerationId);
        }

        Runs.Enqueue(request);
        await _started.Writer.WriteAsync(request, CancellationToken.None);
        try
        {
            return await script(request, progress, cancellationToken);
        }
        finally
        {
            _running.TryRemove(request.GenerationId, out _);
        }
    }
}
