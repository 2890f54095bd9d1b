using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

/// <summary>Announces new updates to feeds. It may lose, repeat and reorder them.</summary>
internal interface IFeedChannel
{
    /// <summary>Whether it is connected. A channel that cannot lose a connection, as in tests, always is.</summary>
    bool IsConnected => true;

    /// <summary>Receives a user's updates until the result is disposed.</summary>
    /// <param name="userId">Whose updates.</param>
    /// <param name="handler">Called for one update at a time, with or without a <c>seq</c>; never blocks.</param>
    /// <param name="cancellationToken">Ends the wait for the acknowledgment.</param>
    /// <returns>
    /// The subscription, when the channel has acknowledged it; at once while the channel is not connected, which then subscribes when it is again.
    /// </returns>
    Task<IAsyncDisposable> SubscribeAsync(string userId, Action<Frame> handler, CancellationToken cancellationToken);
}

/// <summary><see cref="IFeedChannel"/> on Redis.</summary>
internal sealed class RedisFeedChannel(StatusSubscriber subscriber) : IFeedChannel
{
    public bool IsConnected => subscriber.IsConnected;

    public async Task<IAsyncDisposable> SubscribeAsync(string userId, Action<Frame> handler, CancellationToken cancellationToken) =>
        await subscriber.SubscribeUserAsync(userId, update => handler(Frame.Of(update)), update => handler(Frame.Of(update)), cancellationToken);
}
