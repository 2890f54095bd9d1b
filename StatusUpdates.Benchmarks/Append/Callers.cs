using System.Diagnostics;

namespace StatusUpdates.Benchmarks.Append;

/// <summary>Callers that each have one update under way at any time: the next begins when the answer to the one before is here.</summary>
internal sealed class Callers
{
    private readonly List<Task> _running = [];
    private readonly List<List<(long At, long Took)>> _calls = [];
    private volatile bool _stopped;

    /// <summary>Starts so many callers.</summary>
    /// <param name="count">How many.</param>
    /// <param name="call">Appends an update, or several of one transaction; given the caller's number and how many calls it made before. Returns how many updates it appended.</param>
    public void Start(int count, Func<int, int, Task> call)
    {
        for (var i = 0; i < count; i++)
        {
            var (caller, calls) = (i, new List<(long, long)>());
            _calls.Add(calls);
            _running.Add(Task.Run(() => RunAsync(caller, call, calls)));
        }
    }

    /// <summary>Lets them run for a while, stops them and waits for what is under way.</summary>
    /// <returns>When counting began and ended, as timestamps.</returns>
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

    /// <summary>What the calls took that ended in between, in milliseconds; of the callers in this order of their start.</summary>
    public IEnumerable<double> Durations((long From, long To) window, Range callers) => _calls[callers]
        .SelectMany(calls => calls).Where(call => call.At >= window.From && call.At < window.To).Select(call => call.Took * 1000.0 / Stopwatch.Frequency);

    /// <summary>How many calls there were in all, warm-up included.</summary>
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
