using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Workers;

/// <summary>
/// The claims for one set of tasks that wait for something to do, first come, first served. A wake-up wakes one of them; if it finds something and there
/// may be more, it wakes the next one. So thousands of waiting workers cost no more claims than there is work, and one claim per poll interval.
/// Thread-safe.
/// </summary>
internal sealed class ClaimLine
{
    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource> _waiting = [];
    private readonly IReadOnlyList<string> _tasks;
    private readonly GenerationTypes _types;
    private readonly WorkerProtocolOptions _options;
    private readonly TimeProvider _time;
    private readonly ITimer _poll;
    private int _claims;
    private bool _isPolling;
    private long _missed;
    private long? _sweptAt;

    public ClaimLine(IReadOnlyList<string> tasks, GenerationTypes types, WorkerProtocolOptions options, TimeProvider time)
    {
        (_tasks, _types, _options, _time) = (tasks, types, options, time);
        _poll = time.CreateTimer(static line => ((ClaimLine)line!).Poll(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether it has no claims, waiting or not.</summary>
    public bool IsEmpty => Volatile.Read(ref _claims) == 0;

    /// <summary>How many wake-ups found nobody waiting: to be read before a claim, for the wait after it.</summary>
    public long Missed
    {
        get
        {
            lock (_lock)
            {
                return _missed;
            }
        }
    }

    /// <summary>Whether a generation of this type may be something for it.</summary>
    public bool MayTake(string type) => TasksOf(type).Any();

    /// <summary>Those of its tasks that are of this type. A task that is not registered may be of any type.</summary>
    public IEnumerable<string> TasksOf(string type) => _tasks.Where(task => _types.TypeOf(task) is not { } owner || owner.Name == type);

    /// <summary>A claim begins.</summary>
    public void Enter() => Interlocked.Increment(ref _claims);

    /// <summary>A claim has ended.</summary>
    public void Leave() => Interlocked.Decrement(ref _claims);

    /// <summary>Wakes the first one; if nobody waits, the next one does not begin to.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            if (!TryWakeFirst())
            {
                _missed++;
            }
        }
    }

    /// <summary>Whether the next claim has to sweep: then it is taken to do so.</summary>
    public bool TakeSweep()
    {
        lock (_lock)
        {
            if (_sweptAt is { } last && _time.GetElapsedTime(last) < _options.PollInterval)
            {
                return false;
            }

            _sweptAt = _time.GetTimestamp();
            return true;
        }
    }

    /// <summary>The sweep has not been done, or not to its end.</summary>
    public void SweepAgain()
    {
        lock (_lock)
        {
            _sweptAt = null;
        }
    }

    /// <summary>Waits to be woken. Returns at once if a wake-up was missed.</summary>
    /// <param name="missed"><see cref="Missed"/>, from before the claim.</param>
    /// <param name="atMost">How long.</param>
    /// <param name="cancellationToken">Ends the wait, without an exception.</param>
    /// <returns>Whether it was woken: then it has to claim, or to wake the next one, whatever else ended the wait.</returns>
    public async Task<bool> WaitAsync(long missed, TimeSpan atMost, CancellationToken cancellationToken)
    {
        LinkedListNode<TaskCompletionSource> turn;
        lock (_lock)
        {
            if (_missed != missed)
            {
                return true;
            }

            turn = _waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            if (!_isPolling)
            {
                StartPolling();
            }
        }

        await turn.Value.Task.WaitAsync(atMost, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            if (turn.List is null)
            {
                return true;
            }

            _waiting.Remove(turn);
            return false;
        }
    }

    private bool TryWakeFirst()
    {
        if (_waiting.First is not { } first)
        {
            return false;
        }

        _waiting.Remove(first);
        first.Value.SetResult();
        return true;
    }

    private void Poll()
    {
        lock (_lock)
        {
            _isPolling = false;
            if (TryWakeFirst())
            {
                StartPolling();
            }
        }
    }

    // Instances that were started together must not poll together.
    private void StartPolling()
    {
        _isPolling = true;
        _poll.Change(Backoff.Spread(_options.PollInterval), Timeout.InfiniteTimeSpan);
    }
}
