using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>Where feeds hear of new updates. It may lose, repeat and reorder them.</summary>
internal interface IFeedChannel
{
    /// <summary>Whether it is there at all.</summary>
    bool IsConnected => true;

    /// <summary>Hears of a user's updates until the result is disposed.</summary>
    /// <param name="userId">Whose updates.</param>
    /// <param name="handler">Called one update after the other; never waits.</param>
    /// <param name="cancellationToken">Ends the wait for the acknowledgement.</param>
    /// <returns>Done when the channel has acknowledged the subscription, or will do so when it is back.</returns>
    Task<IAsyncDisposable> SubscribeAsync(string userId, Action<StatusUpdate> handler, CancellationToken cancellationToken);
}

/// <summary><see cref="IFeedChannel"/> over Redis.</summary>
internal sealed class RedisFeedChannel(StatusSubscriber subscriber) : IFeedChannel
{
    public bool IsConnected => subscriber.IsConnected;

    public async Task<IAsyncDisposable> SubscribeAsync(string userId, Action<StatusUpdate> handler, CancellationToken cancellationToken) =>
        await subscriber.SubscribeUserAsync(userId, handler, cancellationToken);
}
