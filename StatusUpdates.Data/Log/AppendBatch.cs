using Npgsql;
using NpgsqlTypes;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>The changes of one statement.</summary>
internal sealed class AppendBatch(IReadOnlyList<StatusChange> changes)
{
    // Generations are judged by their rows as the locks found them. One that does not exist has no row in the answer. An update id that is
    // in the log already, though not as its generation's latest, is refused by its index: see BatchWriter.
    // What runs is canceled only if its owner has asked for that: a worker that believes otherwise is wrong.
    // What its owner asked to stop does not go back to the queue, to wait there for its end: it is canceled here and now. The time of the
    // next try has whole milliseconds, so that the row and the update (retryAt) say the same.
    private const string Sql =
        $"""
        -- append
        WITH locked AS MATERIALIZED (
            SELECT g.id, g.user_id, g.type, g.status AS current_status, g.attempt, g.failures, g.progress AS current_progress,
                   g.tokens_used AS current_tokens_used, g.run_at, g.lease_owner, g.lease_expires_at,
                   i.ord, i.update_id, i.status AS asked, i.progress, i.tokens_used, i.error_message, i.metadata::jsonb AS metadata, i.traceparent,
                   i.run_after, i.counts_as_failure,
                   CASE WHEN i.status = 'pending' AND g.cancel_requested_at IS NOT NULL THEN 'canceled' ELSE i.status END AS status,
                   CASE WHEN i.status = 'pending'
                        THEN date_trunc('milliseconds', clock_timestamp() + COALESCE(i.run_after, interval '0')) END AS due_at,
                   CASE
                       WHEN g.last_update_id = i.update_id THEN 'repeated'
                       WHEN g.status IN ('completed', 'failed', 'canceled') THEN 'terminal'
                       WHEN g.status = 'pending' AND i.attempt IS NOT NULL THEN 'stale_attempt'
                       WHEN g.status = 'pending' AND i.status NOT IN ('failed', 'canceled') THEN 'not_allowed'
                       WHEN g.status = 'processing' AND i.attempt IS NULL THEN 'not_allowed'
                       WHEN g.status = 'processing' AND i.attempt <> g.attempt THEN 'stale_attempt'
                       WHEN g.status = 'processing' AND i.status = 'canceled' AND g.cancel_requested_at IS NULL THEN 'not_allowed'
                       ELSE 'accepted' END AS verdict
            FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::int[], $6::bigint[], $7::text[], $8::text[], $9::text[],
                        $10::interval[], $11::boolean[])
                WITH ORDINALITY AS i (id, update_id, status, attempt, progress, tokens_used, error_message, metadata, traceparent,
                                      run_after, counts_as_failure, ord)
            JOIN generations g ON g.id = i.id
            ORDER BY g.id
            FOR NO KEY UPDATE OF g
        ),
        accepted AS (
            SELECT l.id, l.user_id, l.type, l.ord, l.current_status AS previous, l.status, l.update_id, l.traceparent, CASE
                        WHEN l.asked <> 'pending' THEN l.metadata
                        WHEN l.status = 'canceled' THEN l.metadata - 'errorMessage'
                        WHEN l.run_after > interval '0'
                        THEN l.metadata || jsonb_build_object('retryAt', (extract(epoch FROM l.due_at) * 1000)::bigint)
                        ELSE l.metadata END AS metadata,
                   l.attempt,
                   l.failures + COALESCE(l.counts_as_failure, false)::int AS failures,
                   CASE WHEN l.status <> 'pending' THEN COALESCE(l.progress, l.current_progress) END AS progress,
                   CASE WHEN l.status = 'completed' THEN ARRAY(SELECT jsonb_array_elements_text(l.metadata -> 'resultUrls')) END AS result_urls,
                   COALESCE(l.tokens_used, l.current_tokens_used) AS tokens_used,
                   CASE WHEN l.status = 'failed' THEN l.error_message END AS error_message,
                   CASE WHEN l.status = 'pending' THEN l.due_at ELSE l.run_at END AS run_at,
                   CASE WHEN l.status = 'processing' THEN l.lease_owner END AS lease_owner,
                   CASE WHEN l.status = 'processing' THEN l.lease_expires_at END AS lease_expires_at
            FROM locked l
            WHERE l.verdict = 'accepted'
        ),
        {LogSql.Tail}
        SELECT l.ord, l.verdict, l.current_status, n.user_id, n.type, n.seq, n.occurred_at,
               n.status, CASE WHEN l.asked = 'pending' THEN (n.metadata -> 'retryAt')::bigint END, n.after_check
        FROM locked l LEFT JOIN numbered n ON n.ord = l.ord
        """;

    // More than any version of Trace Context needs today.
    private const int MaxTraceParentLength = 200;

    private static readonly AppendResult NotFound = new(null, RefusalReason.NotFound, null);

    private readonly StatusMetadata?[] _metadata = [.. changes.Select(MetadataOf)];

    /// <summary>The command that appends them all, for one use; of no connection yet.</summary>
    public NpgsqlCommand ToCommand()
    {
        var command = new NpgsqlCommand(Sql);
        Add(command, changes, static c => c.GenerationId);
        Add(command, changes, static c => c.UpdateId);
        Add(command, changes, static c => c.Status.ToWireName());
        Add(command, changes, static c => c.Attempt);
        Add(command, changes, static c => c.Status == GenerationStatus.Completed ? 100 : c.Progress);
        Add(command, changes, static c => c.TokensUsed);
        Add(command, _metadata, static m => m?.ErrorMessage);
        Add(command, _metadata, EventReader.EncodeMetadata);
        Add(command, changes, static c => ProviderText.Clean(c.TraceParent, MaxTraceParentLength));
        Add(command, changes, static c => c.RunAfter == TimeSpan.Zero ? null : (TimeSpan?)c.RunAfter);
        Add(command, changes, static c => c.CountsAsFailure ? true : (bool?)null);
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
            results[index] = ReadResult(reader, index);
        }

        return results;
    }

    private AppendResult ReadResult(NpgsqlDataReader reader, int index)
    {
        var change = changes[index];
        if (!reader.IsDBNull(5))
        {
            return new AppendResult(
                new StatusUpdate
                {
                    GenerationId = change.GenerationId,
                    UserId = reader.GetString(3),
                    Type = EventReader.ParseType(reader.GetString(4)),
                    Status = change.Status == GenerationStatus.Pending ? EventReader.ParseStatus(reader.GetString(7)) : change.Status,
                    Seq = reader.GetInt64(5),
                    Cursor = EventReader.CursorOf(reader.GetInt64(5), change.UpdateId),
                    After = EventReader.AfterOf(reader, 9, reader.GetInt64(5)),
                    Timestamp = reader.GetFieldValue<DateTimeOffset>(6).ToUnixTimeMilliseconds(),
                    TraceParent = change.TraceParent,
                    Metadata = MetadataOf(reader, index),
                },
                null,
                null);
        }

        var reason = reader.GetString(1) switch
        {
            "stale_attempt" => RefusalReason.StaleAttempt,
            "not_allowed" => RefusalReason.NotAllowed,
            _ => RefusalReason.Terminal,
        };
        return new AppendResult(null, reason, EventReader.ParseStatus(reader.GetString(2)));
    }

    // What the statement made of it: the same as in the event's row.
    private StatusMetadata? MetadataOf(NpgsqlDataReader reader, int index) => changes[index].Status switch
    {
        GenerationStatus.Pending when EventReader.ParseStatus(reader.GetString(7)) != GenerationStatus.Pending =>
            _metadata[index]! with { ErrorMessage = null },
        GenerationStatus.Pending when !reader.IsDBNull(8) => _metadata[index]! with { RetryAt = reader.GetInt64(8) },
        _ => _metadata[index],
    };

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

    // A column that no change has a value for is sent as an empty array, which unnest fills up with NULL.
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
