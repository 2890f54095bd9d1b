using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports.EventStreams;

/// <summary>One server-sent event stream: a feed that is sent, and a client that is only there or not.</summary>
internal sealed class EventStreamConnection : FeedConnection
{
    /// <summary>The transport's name in metrics and logs.</summary>
    public const string Transport = "sse";

    private readonly EventStreamFormat _format;

    // Canceled when the client has gone.
    private readonly CancellationToken _gone;

    public EventStreamConnection(HttpContext http, FeedCursor cursor, AccessToken token, ConnectionContext context, FollowedGeneration? generation)
        : base(http, cursor, token, context, Transport)
    {
        // Each client is given another time to wait, so that those whose streams end together do not come back together.
        var retry = context.Options.ReconnectDelay * (0.5 + Random.Shared.NextDouble());
        _format = new EventStreamFormat(cursor, retry);
        _gone = http.RequestAborted;
        Sender = new FeedSender(http.Response.Body, cursor, _format, context, generation);
    }

    protected override FeedSender Sender { get; }

    protected override bool IsClosing => _format.IsEnded;

    protected override async Task ServeAsync()
    {
        await using (_gone.UnsafeRegister(static format => ((EventStreamFormat)format!).End(), _format))
        {
            await SendAsync();
        }
    }

    public override void Drain() => _format.End();

    protected override void Expire() => _format.End();

    protected override void Beat() => _format.Heartbeat();
}
