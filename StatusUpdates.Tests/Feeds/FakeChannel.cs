using System.Collections.Concurrent;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Feeds;

/// <summary>A channel that delivers only what a test passes to it. Thread-safe.</summary>
internal sealed class FakeChannel : IFeedChannel
{
    private readonly ConcurrentDictionary<Subscription, byte> _subscriptions = new();
    private int _made;

    /// <summary>How many subscriptions were ever made.</summary>
    public int Made => Volatile.Read(ref _made);

    /// <summary>How many subscriptions exist now.</summary>
    public int Live => _subscriptions.Count;

    /// <summary>Acknowledgments wait until this is completed; null: they come at once.</summary>
    public TaskCompletionSource? HoldAcknowledgement { get; set; }

    public Exception? Failure { get; set; }

    public async Task<IAsyncDisposable> SubscribeAsync(string userId, Action<Frame> handler, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _made);
        if (Failure is { } failure)
        {
            throw failure;
        }

        var subscription = new Subscription(this, userId, handler);
        _subscriptions.TryAdd(subscription, 0);
        if (HoldAcknowledgement is { } hold)
        {
            await hold.Task.WaitAsync(cancellationToken);
        }

        return subscription;
    }

    public void Deliver(StatusUpdate update)
    {
        foreach (var subscription in _subscriptions.Keys)
        {
            if (subscription.UserId == update.UserId)
            {
                subscription.Handler(Frame.Of(update));
            }
        }
    }

    private sealed class Subscription(FakeChannel channel, string userId, Action<Frame> handler) : IAsyncDisposable
    {
        public string UserId => userId;

        public Action<Frame> Handler => handler;

        public ValueTask DisposeAsync()
        {
            channel._subscriptions.TryRemove(this, out _);
            return ValueTask.CompletedTask;
        }
    }
}
