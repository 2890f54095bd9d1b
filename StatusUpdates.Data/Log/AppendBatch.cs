using System.Text.Json;
using Npgsql;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>Changes that are appended by one statement.</summary>
internal sealed class AppendBatch(IReadOnlyList<StatusChange> changes)
{
    // Changes are checked against the rows as locked. A generation that does not exist has no row in the result. An update id that is in the log
    // already, but not as its generation's latest, is refused by the unique index: see BatchWriter.
    // A running generation is canceled only if its owner has requested it: a worker that reports it otherwise is wrong.
    // A generation whose cancellation was requested does not return to the queue only to be canceled there: it is canceled right away. The time of
    // the next try is cut to whole milliseconds, for the row and the update (retryAt) to agree.
    private const string Sql =
        $"""
        -- append
        WITH locked AS MATERIALIZED (
            SELECT g.id, g.user_id, g.type, g.status AS current_status, g.attempt, g.failures, g.progress, g.run_at, g.lease_owner, g.lease_expires_at,
                   i.ord, i.update_id, i.status AS requested, i.metadata::jsonb AS metadata, i.traceparent, i.run_after, i.counts_as_failure,
                   CASE WHEN i.status = 'pending' AND g.cancel_requested_at IS NOT NULL THEN 'canceled' ELSE i.status END AS status,
                   CASE WHEN i.status = 'pending'
                        THEN date_trunc('milliseconds', clock_timestamp() + COALESCE(i.run_after, interval '0')) END AS due_at,
                   CASE
                       WHEN g.last_update_id = i.update_id THEN 'repeated'
                       WHEN g.status IN ('completed', 'failed', 'canceled') THEN 'terminal'
                       WHEN g.status = 'pending' AND i.attempt IS NOT NULL THEN 'stale_attempt'
                       WHEN g.status = 'pending' AND i.status NOT IN ('failed', 'canceled') THEN 'not_allowed'
                       WHEN g.status = 'processing' AND i.attempt IS NULL THEN 'not_allowed'
                       WHEN g.status = 'processing' AND (i.attempt <> g.attempt OR i.lease_owner <> COALESCE(g.lease_owner, '')) THEN 'stale_attempt'
                       WHEN g.status = 'processing' AND i.status = 'canceled' AND g.cancel_requested_at IS NULL THEN 'not_allowed'
                       ELSE 'accepted' END AS verdict
            FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::text[], $7::interval[], $8::boolean[], $9::text[])
                WITH ORDINALITY AS i (id, update_id, status, attempt, metadata, traceparent, run_after, counts_as_failure, lease_owner, ord)
            JOIN generations g ON g.id = i.id
            ORDER BY g.id
            FOR NO KEY UPDATE OF g
        ),
        accepted AS (
            SELECT l.id AS generation_id, l.user_id, l.type, l.ord, l.current_status AS previous, l.status, l.update_id, l.traceparent, CASE
                        WHEN l.requested <> 'pending' THEN l.metadata
                        WHEN l.status = 'canceled' THEN l.metadata - 'errorMessage'
                        WHEN l.run_after > interval '0'
                        THEN l.metadata || jsonb_build_object('retryAt', (extract(epoch FROM l.due_at) * 1000)::bigint)
                        ELSE l.metadata END AS metadata,
                   l.attempt,
                   l.failures + COALESCE(l.counts_as_failure, false)::int AS failures,
                   CASE WHEN l.status <> 'pending' THEN COALESCE((l.metadata -> 'progress')::int, l.progress) END AS progress,
                   CASE WHEN l.status = 'pending' THEN l.due_at ELSE l.run_at END AS run_at,
                   CASE WHEN l.status = 'processing' THEN l.lease_owner END AS lease_owner,
                   CASE WHEN l.status = 'processing' THEN l.lease_expires_at END AS lease_expires_at
            FROM locked l
            WHERE l.verdict = 'accepted'
        ),
        {LogSql.Tail}
        SELECT l.ord, l.verdict, l.current_status, n.user_id, n.type, n.seq, n.occurred_at, n.after_check,
               n.status, CASE WHEN l.requested = 'pending' THEN (n.metadata -> 'retryAt')::bigint END
        FROM locked l LEFT JOIN numbered n ON n.ord = l.ord
        """;

    // More than any current version of Trace Context needs.
    private const int MaxTraceParentLength = 200;

    private static readonly AppendResult NotFound = new(null, RefusalReason.NotFound, null);

    private readonly StatusMetadata?[] _metadata = [.. changes.Select(MetadataOf)];

    /// <summary>A command that appends all changes, without a connection; for one use.</summary>
    public NpgsqlCommand ToCommand()
    {
        var command = new NpgsqlCommand(Sql);
        Add(command, changes, static c => c.GenerationId);
        Add(command, changes, static c => c.UpdateId);
        Add(command, changes, static c => c.Status.ToWireName());
        Add(command, changes, static c => c.Attempt);
        Add(command, _metadata, static m => m is null ? null : JsonSerializer.Serialize(m, StatusJsonContext.Default.StatusMetadata));
        Add(command, changes, TraceParentOf);
        Add(command, changes, static c => c.RunAfter == TimeSpan.Zero ? null : (TimeSpan?)c.RunAfter);
        Add(command, changes, static c => c.CountsAsFailure ? true : (bool?)null);
        Add(command, changes, static c => c.LeaseOwner);
        return command;
    }

    /// <summary>Reads the outcomes, in the order of the changes.</summary>
    public async Task<AppendResult[]> ReadResultsAsync(NpgsqlDataReader reader)
    {
        var results = new AppendResult[changes.Count];
        Array.Fill(results, NotFound);
        while (await reader.ReadAsync())
        {
            var index = (int)reader.GetInt64(0) - 1;
            results[index] = ReadResult(reader, changes[index], _metadata[index]);
        }

        return results;
    }

    private static AppendResult ReadResult(NpgsqlDataReader reader, StatusChange change, StatusMetadata? metadata)
    {
        if (!reader.IsDBNull(5))
        {
            return new AppendResult(ReadUpdate(reader, change, metadata), null, null);
        }

        var reason = reader.GetString(1) switch
        {
            "stale_attempt" => RefusalReason.StaleAttempt,
            "not_allowed" => RefusalReason.NotAllowed,
            _ => RefusalReason.Terminal,
        };
        return new AppendResult(null, reason, GenerationStatusNames.Parse(reader.GetString(2)));
    }

    // What the caller already has is not read back: that is work for every update.
    private static StatusUpdate ReadUpdate(NpgsqlDataReader reader, StatusChange change, StatusMetadata? metadata)
    {
        var seq = reader.GetInt64(5);
        var status = change.Status == GenerationStatus.Pending ? GenerationStatusNames.Parse(reader.GetString(8)) : change.Status;
        return new()
        {
            GenerationId = change.GenerationId,
            UserId = reader.GetString(3),
            Type = reader.GetString(4),
            Status = status,
            Seq = seq,
            Cursor = EventReader.CursorOf(seq, change.UpdateId),
            After = EventReader.AfterOf(reader, 7, seq),
            Timestamp = reader.GetFieldValue<DateTimeOffset>(6).ToUnixTimeMilliseconds(),
            TraceParent = TraceParentOf(change),
            Metadata = metadata is null ? null : Stored(metadata),
        };

        // The statement changes the metadata of what returns to the queue.
        StatusMetadata Stored(StatusMetadata sent) =>
            status != change.Status ? sent with { ErrorMessage = null }
            : reader.IsDBNull(9) ? sent
            : sent with { RetryAt = reader.GetInt64(9) };
    }

    private static string? TraceParentOf(StatusChange change) => ProviderText.Clean(change.TraceParent, MaxTraceParentLength);

    private static StatusMetadata? MetadataOf(StatusChange change)
    {
        var metadata = new StatusMetadata
        {
            ResultUrls = change.Status == GenerationStatus.Completed
                ? [.. (change.ResultUrls ?? []).Select(url => ProviderText.Clean(url, ProviderText.MaxUrlLength)!)]
                : null,
            TokensUsed = change.TokensUsed,
            Progress = change.Status switch
            {
                GenerationStatus.Completed => 100,
                GenerationStatus.Pending => null,
                _ => change.Progress,
            },
            Attempt = change.Attempt,
            ErrorMessage = change.Status is GenerationStatus.Failed or GenerationStatus.Pending
                ? ProviderText.Clean(change.ErrorMessage, ProviderText.MaxErrorLength)
                : null,
        };
        return metadata == new StatusMetadata() ? null : metadata;
    }

    // A column without values is sent as an empty array, which unnest pads with NULL.
    private static void Add<TSource, T>(NpgsqlCommand command, IReadOnlyList<TSource> from, Func<TSource, T> select)
    {
        var values = new T[from.Count];
        var isEmpty = true;
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = select(from[i]);
            isEmpty &= values[i] is null;
        }

        command.Parameters.Add(new NpgsqlParameter<T[]> { TypedValue = isEmpty ? [] : values });
    }
}
