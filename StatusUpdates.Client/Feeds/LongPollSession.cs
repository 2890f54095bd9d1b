using StatusUpdates.Client.Http;
using StatusUpdates.Messaging;

namespace StatusUpdates.Client.Feeds;

/// <summary>The response to a long poll.</summary>
/// <param name="Items">Updates after the cursor, in order.</param>
/// <param name="Seq">The position to continue from; with <paramref name="Resync"/>, the head.</param>
/// <param name="More">Whether more updates are available already.</param>
/// <param name="Resync">Whether the log could not serve the cursor.</param>
/// <param name="Cursor">The position with its check.</param>
internal sealed record PollPage(IReadOnlyList<StatusUpdate>? Items, long Seq, bool More = false, bool? Resync = null, string? Cursor = null)
{
    public LogPosition Position => LogPosition.Of(Seq, Cursor);
}

/// <summary>A feed over <c>GET /api/v1/status/poll</c>: one request after another, each from the feed's cursor.</summary>
internal sealed class LongPollSession(ApiCaller api, Func<LogPosition?> cursor) : IFeedSession
{
    // An empty response that arrives sooner than this did not come from a long poll: pause, to avoid a tight loop.
    private static readonly TimeSpan MinInterval = TimeSpan.FromSeconds(1);

    private readonly List<FeedEvent> _events = [];
    private TimeSpan _pause;
    private bool _isAnswered;

    public StatusTransport Transport => StatusTransport.LongPolling;

    public FeedPhase Phase { get; private set; }

    public string? Token => null;

    public async ValueTask<IReadOnlyList<FeedEvent>> NextAsync(CancellationToken cancellationToken)
    {
        var options = api.Options;
        if (_pause > TimeSpan.Zero)
        {
            await Task.Delay(_pause, options.TimeProvider, cancellationToken).ConfigureAwait(false);
        }

        var since = cursor();
        var address = new QueryText("api/v1/status/poll");
        address.Add("since", since?.ToString());
        address.Add("timeout", (long)options.LongPollTimeout.TotalSeconds);
        var sentAt = options.TimeProvider.GetTimestamp();
        var page = await api.SendAsync(
            HttpMethod.Get,
            address.ToString(),
            FeedJsonContext.Default.EnvelopePollPage,
            cancellationToken,
            extraTime: options.LongPollTimeout,
            onTokenRequest: isWaiting => Phase = isWaiting ? FeedPhase.Token : _isAnswered ? FeedPhase.Receiving : FeedPhase.Connecting)
            .ConfigureAwait(false);
        _isAnswered = true;
        Phase = FeedPhase.Receiving;
        var isEmpty = since is not null && page is { Resync: not true, More: false, Items: null or { Count: 0 } };
        _pause = isEmpty ? MinInterval - options.TimeProvider.GetElapsedTime(sentAt) : TimeSpan.Zero;
        return EventsOf(page, since is null);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private List<FeedEvent> EventsOf(PollPage page, bool isFirst)
    {
        _events.Clear();
        if (page.Resync is true)
        {
            _events.Add(new(FeedEventKind.Resync, page.Position));
            return _events;
        }

        _events.AddRange((page.Items ?? []).Select(FeedEvent.Of));
        _events.Add(new(isFirst ? FeedEventKind.Started : FeedEventKind.Position, page.Position));
        return _events;
    }
}
