using System.Diagnostics;
using System.Diagnostics.Metrics;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Bot.Telegram;

/// <summary>Traces and metrics of the bot, by the name <see cref="Name"/>. Ids go into spans, never into metrics.</summary>
internal static class BotTelemetry
{
    public const string Name = "StatusUpdates.Bot";

    private const string Outcome = "statusupdates.outcome";

    private static readonly ActivitySource Source = new(Name);
    private static readonly Meter Meter = new(Name);

    private static readonly Counter<long> Requests = Meter.CreateCounter<long>(
        "statusupdates.bot.requests", "{request}", "Messages, edits, photos and documents that were given to Telegram, by method and outcome.");

    private static readonly Histogram<double> RetryAfter = Meter.CreateHistogram<double>(
        "statusupdates.bot.retry_after", "s", "How long Telegram asked to leave a chat alone.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 2, 5, 10, 30, 60, 300, 900] });

    private static readonly Counter<long> Unlinks = Meter.CreateCounter<long>(
        "statusupdates.bot.unlinks", "{chat}", "Chats that were unlinked, by their own command or because the bot may not write there any more.");

    private static readonly Counter<long> Skipped = Meter.CreateCounter<long>(
        "statusupdates.bot.skipped", "{message}", "Messages that Telegram refuses and that were left out.");

    private static readonly Counter<long> Resyncs = Meter.CreateCounter<long>(
        "statusupdates.bot.resyncs", "{chat}", "Chats whose position was outside the log, and that were told so.");

    private static readonly Histogram<double> Lag = Meter.CreateHistogram<double>(
        "statusupdates.bot.lag", "s", "Time from an update to Telegram's acknowledgement of its message.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600] });

    /// <summary>The span of one request. It has no address, which would show the token.</summary>
    public static Activity? StartSend(string method) =>
        Source.StartActivity($"telegram {method}", ActivityKind.Client)?.SetTag("rpc.method", method);

    /// <summary>The span of answering one message that somebody wrote to the bot: where that trace begins.</summary>
    public static Activity? StartAnswer() => Source.StartActivity("answer telegram", ActivityKind.Consumer)?
        .SetTag("messaging.system", "telegram")
        .SetMessagingOperation("process", "answer");

    /// <summary>Records a question to Telegram, or for the turn to ask, that failed; one that brings nothing is no trace.</summary>
    public static void PollFailed(DateTimeOffset startedAt, DateTimeOffset now, Exception failure) =>
        BackgroundSpans.RecordFailure(Source, "poll telegram", startedAt, now, failure);

    /// <summary>The span of telling one update, in that update's trace. Null when nobody listens.</summary>
    public static Activity? StartNotify(StatusUpdate update)
    {
        ActivityContext.TryParse(update.TraceParent, null, isRemote: true, out var parent);
        return Source.StartActivity("notify telegram", ActivityKind.Consumer, parent)?
            .SetTag("messaging.system", "telegram")
            .SetMessagingOperation("process", "notify")
            .SetTag("statusupdates.generation.id", update.GenerationId)
            .SetTag("statusupdates.status", update.Status.ToWireName())
            .SetTag("statusupdates.seq", update.Seq);
    }

    public static void Sent(string method, SendResult result)
    {
        Requests.Add(1, new KeyValuePair<string, object?>("rpc.method", method), new(Outcome, NameOf(result.Outcome)));
        if (result.Outcome == SendOutcome.RetryAfter)
        {
            RetryAfter.Record(result.RetryAfter.TotalSeconds);
        }
    }

    public static void Told(StatusUpdate update, DateTimeOffset now) =>
        Lag.Record(Math.Max(0, (now - DateTimeOffset.FromUnixTimeMilliseconds(update.Timestamp)).TotalSeconds));

    public static void CountUnlink(string reason) => Unlinks.Add(1, new KeyValuePair<string, object?>("statusupdates.reason", reason));

    public static void CountSkipped() => Skipped.Add(1);

    public static void CountResync() => Resyncs.Add(1);

    private static string NameOf(SendOutcome outcome) => outcome switch
    {
        SendOutcome.Sent => "sent",
        SendOutcome.Refused => "refused",
        SendOutcome.MessageGone => "message_gone",
        SendOutcome.ChatGone => "chat_gone",
        SendOutcome.ChatMoved => "chat_moved",
        SendOutcome.TopicGone => "topic_gone",
        SendOutcome.RetryAfter => "retry_after",
        SendOutcome.NotAllowed => "not_allowed",
        _ => "failed",
    };
}
