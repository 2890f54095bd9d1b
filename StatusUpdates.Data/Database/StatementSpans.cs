using System.Diagnostics;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Spans of statements outside of requests and jobs: claims, group commits, a feed's reads. They are created when the result is known, so an
/// empty poll leaves none, and belong to the trace of the update that they are about. Thread-safe.
/// </summary>
public sealed class StatementSpans
{
    // What exporters keep by default.
    private const int MaxLinks = 128;

    private readonly KeyValuePair<string, object?>[] _tags;
    private readonly TimeProvider _time;

    internal StatementSpans(NpgsqlConnectionStringBuilder connection, TimeProvider time)
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

    /// <summary>The time at which a statement begins; null if there are no listeners, and then nothing is recorded.</summary>
    public DateTimeOffset? Begin() => DataTelemetry.Source.HasListeners() ? _time.GetUtcNow() : null;

    /// <summary>Records a statement that has just ended, as part of a trace (W3C Trace Context), or else as a trace of its own.</summary>
    /// <returns>The span, to add tags to and dispose of; null if there are no listeners.</returns>
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

    /// <summary>Like <see cref="Record"/>, for a statement about several traces: part of the first one, with links to the others.</summary>
    public Activity? RecordMany(string operation, IEnumerable<string?> traceParents, DateTimeOffset? startedAt)
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
