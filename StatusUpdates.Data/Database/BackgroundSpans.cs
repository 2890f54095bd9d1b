using System.Diagnostics;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Spans of timer work (polls, sweeps, heartbeats): created afterwards, and only for rounds that found work or failed, which keeps empty rounds
/// out of the traces.
/// </summary>
public static class BackgroundSpans
{
    /// <summary>Records a round that has just failed.</summary>
    /// <param name="source">The component's activity source.</param>
    /// <param name="name">What the round does.</param>
    /// <param name="startedAt">When it began.</param>
    /// <param name="now">The current time, by the same clock.</param>
    /// <param name="failure">The failure: its type and message are recorded, its stack trace is not.</param>
    public static void RecordFailure(ActivitySource source, string name, DateTimeOffset startedAt, DateTimeOffset now, Exception failure)
    {
        using var span = source.StartActivity(name, ActivityKind.Internal, default(ActivityContext), startTime: startedAt);
        if (span is not null)
        {
            SetFailure(span, failure);
            span.SetEndTime(now.UtcDateTime);
        }
    }

    /// <summary>Marks a span as failed, by the semantic conventions' <c>error.type</c>.</summary>
    internal static void SetFailure(Activity span, Exception failure)
    {
        var type = failure is PostgresException { SqlState: var state } ? state : failure.GetType().FullName;
        span.SetTag("error.type", type).SetStatus(ActivityStatusCode.Error, failure.Message);
        if (failure is PostgresException)
        {
            span.SetTag("db.response.status_code", type);
        }
    }
}
