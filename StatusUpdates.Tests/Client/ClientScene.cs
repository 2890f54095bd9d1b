using StatusUpdates.Client;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client;

/// <summary>A client of the API under test, and a reader that checks the promise while it reads.</summary>
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

    /// <summary>Starts a reader of a feed.</summary>
    public static FeedReader Read(this StatusFeed feed) => new(feed);

    public static async Task PublishManyAsync(this TestApi api, string userId, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await api.PublishAsync(userId);
        }
    }
}

/// <summary>Takes from a feed what is asked of it. Left, as a loop is left by break, when it is disposed.</summary>
internal sealed class FeedReader(StatusFeed feed) : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(TestTime.Token);
    private IAsyncEnumerator<StatusFeedItem>? _items;
    private Task<bool>? _ahead;

    public StatusFeed Feed => feed;

    /// <summary>Begins to wait for the next item, which connects; a loop would stand here.</summary>
    public void Begin()
    {
        _items ??= feed.GetAsyncEnumerator(_stop.Token);
        _ahead ??= _items.MoveNextAsync().AsTask();
    }

    /// <summary>Begins, and waits until the feed stands, and so has a position.</summary>
    public async Task ConnectedAsync()
    {
        Begin();
        await Eventually.TrueAsync(() => feed.Transport is not null && feed.Cursor is not null || _ahead!.IsFaulted);
    }

    public async Task<StatusFeedItem> NextAsync()
    {
        Begin();
        var moving = _ahead!;
        Assert.True(await moving.WaitAsync(TestTime.Patience, TestTime.Token));
        _ahead = null;
        return _items!.Current;
    }

    public async Task<StatusUpdate> NextUpdateAsync() => Assert.IsType<StatusFeedItem.Updated>(await NextAsync()).Update;

    /// <summary>Takes the updates first to last, each once and in order.</summary>
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
        if (_ahead is not null)
        {
            // A step that is under way can only be canceled.
            await _stop.CancelAsync();
            await ((Task)_ahead).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (_items is not null)
        {
            await _items.DisposeAsync();
        }

        _stop.Dispose();
    }
}
