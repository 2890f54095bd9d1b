using StackExchange.Redis;

namespace StatusUpdates.Messaging;

/// <summary>A running subscription. It survives reconnects; dispose it to end it. Disposing twice is harmless.</summary>
public sealed class StatusSubscription : IAsyncDisposable
{
    private readonly StatusUpdatePump? _pump;
    private readonly Action<StatusSubscription> _ended;
    private ChannelMessageQueue? _queue;

    internal StatusSubscription(ChannelMessageQueue queue, StatusUpdatePump? pump, Action<StatusSubscription> ended)
    {
        _queue = queue;
        _pump = pump;
        _ended = ended;
    }

    /// <summary>Whether Redis has acknowledged the subscription. If not, it takes effect once Redis is available and permits it.</summary>
    public bool IsAcknowledged { get; internal set; }

    /// <summary>Ends the subscription and waits for a running handler; must not be called from the handler itself.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _queue, null) is { } queue)
        {
            _ended(this);

            // Not awaited: while Redis is unavailable it has no subscription to end.
            queue.Unsubscribe(CommandFlags.FireAndForget);
            if (_pump is not null)
            {
                await _pump.DisposeAsync().ConfigureAwait(false);
            }
        }
    }
}
