using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports.EventStreams;

/// <summary>One server-sent event stream. Its client sends nothing; it is only connected or gone.</summary>
internal sealed class EventStreamConnection : FeedConnection
{
    private readonly EventStreamFormat _format;

    // Canceled when the client has disconnected.
    private readonly CancellationToken _gone;

    public EventStreamConnection(
        HttpContext http, Stream stream, FeedCursor cursor, AccessToken token, ConnectionContext context, FollowedGeneration? generation = null)
        : base(http, cursor, token, context, "sse")
    {
        // Each client gets a different delay, so that clients whose streams end together do not reconnect together.
        var retry = context.Options.ReconnectDelay * (0.5 + Random.Shared.NextDouble());
        _format = new EventStreamFormat(cursor, retry);
        _gone = http.RequestAborted;
        Sender = new FeedSender(stream, cursor, _format, context, Transport, generation);
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

    protected override void Heartbeat() => _format.Heartbeat();
}
