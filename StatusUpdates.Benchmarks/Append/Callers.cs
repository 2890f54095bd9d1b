using System.Diagnostics;

namespace StatusUpdates.Benchmarks.Append;

/// <summary>Concurrent callers, each with one call in flight at any time: the next starts when the previous one has returned.</summary>
internal sealed class Callers
{
    private readonly List<Task> _running = [];
    private readonly List<List<(long At, long Took)>> _calls = [];
    private volatile bool _stopped;

    /// <summary>Starts callers.</summary>
    /// <param name="count">How many.</param>
    /// <param name="call">Appends one update, or several in one transaction. Receives the caller's number and the number of its previous calls.</param>
    public void Start(int count, Func<int, int, Task> call)
    {
        for (var i = 0; i < count; i++)
        {
            var (caller, calls) = (i, new List<(long, long)>());
            _calls.Add(calls);
            _running.Add(Task.Run(() => RunAsync(caller, call, calls)));
        }
    }

    /// <summary>Lets the callers run, then stops them and waits for the calls in flight.</summary>
    /// <returns>Start and end of the measured window, as timestamps.</returns>
    public async Task<(long From, long To)> RunForAsync(TimeSpan warmUp, TimeSpan duration, CancellationToken cancellationToken)
    {
        await Task.Delay(warmUp, cancellationToken);
        var from = Stopwatch.GetTimestamp();
        await Task.WhenAny(Task.Delay(duration, cancellationToken), Task.WhenAll(_running));
        var to = Stopwatch.GetTimestamp();
        _stopped = true;
        await Task.WhenAll(_running);
        cancellationToken.ThrowIfCancellationRequested();
        return (from, to);
    }

    /// <summary>The durations, in milliseconds, of the calls that ended within the window. Callers are numbered in the order of their start.</summary>
    public IEnumerable<double> Durations((long From, long To) window, Range callers) => _calls[callers]
        .SelectMany(calls => calls).Where(call => call.At >= window.From && call.At < window.To).Select(call => call.Took * 1000.0 / Stopwatch.Frequency);

    /// <summary>The total number of calls, including the warm-up.</summary>
    public int Count => _calls.Sum(calls => calls.Count);

    private async Task RunAsync(int caller, Func<int, int, Task> call, List<(long, long)> calls)
    {
        while (!_stopped)
        {
            var before = Stopwatch.GetTimestamp();
            await call(caller, calls.Count);
            var after = Stopwatch.GetTimestamp();
            calls.Add((after, after - before));
        }
    }
}
