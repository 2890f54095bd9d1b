using System.Diagnostics;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Spans of statements that nobody's request or job is under way for: claims, commits of many, reads by a feed. They are made when it is known
/// what the statement was worth, so that an empty look leaves none, and belong to the trace of the update that they are about. Thread-safe.
/// </summary>
internal sealed class StatementSpans
{
    // As many as exporters keep by default.
    private const int MaxLinks = 128;

    private readonly KeyValuePair<string, object?>[] _tags;
    private readonly TimeProvider _time;

    public StatementSpans(NpgsqlConnectionStringBuilder connection, TimeProvider time)
    {
        _time = time;
        _tags =
        [
            new("db.system.name", "postgresql"),
            new("db.namespace", connection.Database),
            new("server.address", connection.Host),
            new("server.port", connection.Port),
        ];
    }

    /// <summary>When a statement begins; nothing where nobody listens, and then nothing is recorded.</summary>
    public DateTimeOffset? Begin() => DataTelemetry.Source.HasListeners() ? _time.GetUtcNow() : null;

    /// <summary>Records a statement that began then and has just ended, as a part of a trace (W3C Trace Context), else as one of its own.</summary>
    /// <returns>The span, to be described further and disposed of; null where nobody listens.</returns>
    public Activity? Record(string operation, string? traceParent, DateTimeOffset? startedAt, IEnumerable<ActivityLink>? links = null)
    {
        if (startedAt is not { } start)
        {
            return null;
        }

        ActivityContext.TryParse(traceParent, null, isRemote: true, out var parent);
        return DataTelemetry.Source
            .StartActivity(operation, ActivityKind.Client, parent, _tags, links, start)?
            .SetTag("db.operation.name", operation)
            .SetEndTime(_time.GetUtcNow().UtcDateTime);
    }

    /// <summary>As <see cref="Record"/>, of a statement about updates of several traces: a part of the first one's, with links to the others.</summary>
    public Activity? RecordOfMany(string operation, IEnumerable<string?> traceParents, DateTimeOffset? startedAt)
    {
        if (startedAt is null)
        {
            return null;
        }

        var traces = traceParents.OfType<string>().DistinctBy(TraceOf, StringComparer.Ordinal).Take(MaxLinks + 1).ToList();
        var links = new List<ActivityLink>();
        foreach (var other in traces.Skip(1))
        {
            if (ActivityContext.TryParse(other, null, isRemote: true, out var context))
            {
                links.Add(new ActivityLink(context));
            }
        }

        return Record(operation, traces.FirstOrDefault(), startedAt, links);
    }

    /// <summary>Records a statement that failed.</summary>
    public void RecordFailure(string operation, string? traceParent, DateTimeOffset? startedAt, Exception failure)
    {
        using var span = Record(operation, traceParent, startedAt);
        if (span is not null)
        {
            BackgroundSpans.SetFailure(span, failure);
        }
    }

    // "00-<32 digits>-…"
    private static string TraceOf(string traceParent) => traceParent.Length > 35 ? traceParent[..35] : traceParent;
}
