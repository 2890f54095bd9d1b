using StatusUpdates.Client;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client;

/// <summary>Builds clients of the API under test, and readers that check the order of updates while reading.</summary>
internal static class ClientScene
{
    private static CancellationToken Token => TestTime.Token;

    public static StatusUpdatesClientOptions Options(Uri address, string userId = "alice") => new()
    {
        BaseAddress = address,
        AccessTokenProvider = _ => ValueTask.FromResult(TestTokens.Create(userId)),
        ReconnectDelay = TimeSpan.FromMilliseconds(10),
        ReconnectMaxDelay = TimeSpan.FromMilliseconds(500),
        LoggerFactory = new Microsoft.Extensions.Logging.LoggerFactory([new TestOutputLogging(TestContext.Current.TestOutputHelper)]),
    };

    public static Uri AddressOf(TcpProxy proxy) => new($"http://127.0.0.1:{proxy.Port}");

    public static FeedReader Read(this StatusFeed feed) => new(feed);

    public static async Task PublishManyAsync(this TestApi api, string userId, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await api.PublishAsync(userId);
        }
    }
}

/// <summary>Reads a feed item by item. Disposing it leaves the feed as <c>break</c> leaves a loop.</summary>
internal sealed class FeedReader(StatusFeed feed) : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(TestTime.Token);
    private IAsyncEnumerator<StatusFeedItem>? _items;

    // The MoveNextAsync in progress, or the one whose item was not taken yet: an enumerator allows one at a time.
    private Task<bool>? _pending;

    public StatusFeed Feed => feed;

    /// <summary>Starts to wait for the next item, as a loop would; this connects.</summary>
    public void Begin()
    {
        _items ??= feed.GetAsyncEnumerator(_stop.Token);
        _pending ??= _items.MoveNextAsync().AsTask();
    }

    /// <summary>Calls <see cref="Begin"/> and waits until the feed is connected and has a cursor.</summary>
    public async Task ConnectedAsync()
    {
        Begin();

        // A feed that fails never connects: the next read throws what it failed with.
        await Eventually.TrueAsync(() => feed.Transport is not null && feed.Cursor is not null || _pending!.IsFaulted);
    }

    /// <summary>The next item, whatever it is; fails if the feed ends.</summary>
    public async Task<StatusFeedItem> NextAsync()
    {
        Begin();
        var moving = _pending!;
        Assert.True(await moving.WaitAsync(TestTime.Patience, TestTime.Token));
        _pending = null;
        return _items!.Current;
    }

    public async Task<StatusUpdate> NextUpdateAsync() => Assert.IsType<StatusFeedItem.Updated>(await NextAsync()).Update;

    /// <summary>Reads the updates from first to last and checks that each comes once and in order.</summary>
    public async Task ExpectAsync(long first, long last)
    {
        for (var seq = first; seq <= last; seq++)
        {
            Assert.Equal(seq, (await NextUpdateAsync()).Seq);
            Assert.Equal(seq, feed.Cursor?.Seq);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_pending is not null)
        {
            // A MoveNextAsync in progress can only be canceled.
            await _stop.CancelAsync();
            await ((Task)_pending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (_items is not null)
        {
            await _items.DisposeAsync();
        }

        _stop.Dispose();
    }
}
