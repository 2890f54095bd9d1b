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

    /// <summary>Whether Redis has acknowledged the subscription. If not, it takes effect when Redis is back, or lets it.</summary>
    public bool IsAcknowledged { get; internal set; }

    /// <summary>Ends the subscription and waits for a handler that is running; hence not to be called from the handler itself.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _queue, null) is { } queue)
        {
            _ended(this);

            // Not awaited at the server: with Redis away there is nothing to end there.
            queue.Unsubscribe(CommandFlags.FireAndForget);
            if (_sink is not null)
            {
                await _sink.DisposeAsync().ConfigureAwait(false);
            }
        }
    }
}

/// <summary>Where a subscription's updates go. <see cref="Accept"/> never blocks.</summary>
internal interface IStatusUpdateSink : IAsyncDisposable
{
    void Accept(StatusUpdate update);
}
