using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text.Json;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Bot.Telegram;

/// <summary>Traces and metrics of the bot, under the name <see cref="Name"/>. Ids go into spans, never into metrics.</summary>
internal static class BotTelemetry
{
    public const string Name = "StatusUpdates.Bot";

    private const string Outcome = "statusupdates.outcome";

    private static readonly ActivitySource Source = new(Name);
    private static readonly Meter Meter = new(Name);

    private static readonly Counter<long> Requests = Meter.CreateCounter<long>(
        "statusupdates.bot.requests", "{request}", "Messages, edits, photos and documents sent to Telegram, by method and outcome.");

    private static readonly Histogram<double> RetryAfter = Meter.CreateHistogram<double>(
        "statusupdates.bot.retry_after", "s", "How long Telegram asked to wait before the next message to a chat.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 2, 5, 10, 30, 60, 300, 900] });

    private static readonly Counter<long> Unlinks = Meter.CreateCounter<long>(
        "statusupdates.bot.unlinks", "{chat}", "Chats that were unlinked, by command or because the bot can no longer write there.");

    private static readonly Counter<long> Skipped = Meter.CreateCounter<long>(
        "statusupdates.bot.skipped", "{message}", "Messages that Telegram refused and that were skipped.");

    private static readonly Counter<long> Resyncs = Meter.CreateCounter<long>(
        "statusupdates.bot.resyncs", "{chat}", "Chats whose position was outside the log and that got a notice.");

    private static readonly Histogram<double> Lag = Meter.CreateHistogram<double>(
        "statusupdates.bot.lag", "s", "Time from an update to Telegram's acknowledgment of its message.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600] });

    /// <summary>The span of one request. It has no URL, which would reveal the token.</summary>
    public static Activity? StartSend(string method) =>
        Source.StartActivity($"telegram {method}", ActivityKind.Client)?.SetTag("rpc.method", method);

    /// <summary>The span of answering one message to the bot; it begins a trace.</summary>
    public static Activity? StartAnswer() => Source.StartActivity("answer telegram", ActivityKind.Consumer)?
        .SetTag("messaging.system", "telegram")
        .SetMessagingOperation("process", "answer");

    /// <summary>Records a failed poll of Telegram, or a failure of the polling lock; a poll that returns nothing makes no trace.</summary>
    public static void PollFailed(DateTimeOffset startedAt, DateTimeOffset now, Exception failure) =>
        BackgroundSpans.RecordFailure(Source, "poll telegram", startedAt, now, failure);

    /// <summary>The span of sending one update, in that update's trace. Null if nothing listens.</summary>
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

    public static void RequestEnded(string method, SendResult result)
    {
        var outcome = JsonNamingPolicy.SnakeCaseLower.ConvertName(result.Outcome.ToString());
        Requests.Add(1, new KeyValuePair<string, object?>("rpc.method", method), new(Outcome, outcome));
        if (result.Outcome == SendOutcome.RetryAfter)
        {
            RetryAfter.Record(result.RetryAfter.TotalSeconds);
        }
    }

    public static void UpdateSent(StatusUpdate update, DateTimeOffset now) =>
        Lag.Record(Math.Max(0, (now - DateTimeOffset.FromUnixTimeMilliseconds(update.Timestamp)).TotalSeconds));

    public static void CountUnlink(string reason) => Unlinks.Add(1, new KeyValuePair<string, object?>("statusupdates.reason", reason));

    public static void CountSkipped() => Skipped.Add(1);

    public static void CountResync() => Resyncs.Add(1);
}
