using StackExchange.Redis;

namespace StatusUpdates.Messaging;

/// <summary>A running subscription. It survives reconnects; dispose it to end it. Disposing twice is harmless.</summary>
public sealed class StatusSubscription : IAsyncDisposable
{
    private readonly IAsyncDisposable? _sink;
    private readonly Action<StatusSubscription> _ended;
    private ChannelMessageQueue? _queue;

    internal StatusSubscription(ChannelMessageQueue queue, IAsyncDisposable? sink, Action<StatusSubscription> ended)
    {
        _queue = queue;
        _sink = sink;
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
            if (_sink is not null)
            {
                await _sink.DisposeAsync().ConfigureAwait(false);
            }
        }
    }
}

/// <summary>Receives a subscription's updates. <see cref="Accept"/> never blocks.</summary>
internal interface IStatusUpdateSink : IAsyncDisposable
{
    void Accept(StatusUpdate update);
}
