using System.Diagnostics;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Spans of what timers do (polls, sweeps, heartbeats): made afterwards, and only of rounds that found work or failed, so that the list of
/// traces shows what happens and not that time goes by.
/// </summary>
public static class BackgroundSpans
{
    /// <summary>Records a round that began then and has just failed.</summary>
    /// <param name="source">Whose round.</param>
    /// <param name="name">What it does.</param>
    /// <param name="startedAt">When it began.</param>
    /// <param name="now">The present time, of the same clock.</param>
    /// <param name="failure">Why it failed: its type and message are recorded, its stack is not.</param>
    public static void RecordFailure(ActivitySource source, string name, DateTimeOffset startedAt, DateTimeOffset now, Exception failure)
    {
        using var span = source.StartActivity(name, ActivityKind.Internal, default(ActivityContext), startTime: startedAt);
        if (span is not null)
        {
            SetFailure(span, failure);
            span.SetEndTime(now.UtcDateTime);
        }
    }

    /// <summary>Marks a span as failed, by the conventions' <c>error.type</c>.</summary>
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
