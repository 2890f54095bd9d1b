using Npgsql;
using NpgsqlTypes;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>The changes of one statement as arrays, made once and sent again as they are when a try is repeated.</summary>
internal sealed class AppendBatch(IReadOnlyList<StatusChange> changes)
{
    // A try may reach the server after its repeat was committed and others followed it: then its id is in the log, though not the latest.
    // What its owner asked to stop does not go back to the queue, to wait there for its end: it is canceled here and now. The time of the
    // next try has whole milliseconds, so that the row and the update (retryAt) say the same.
    private const string Sql =
        $"""
        WITH input AS MATERIALIZED (
            SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::int[], $6::bigint[], $7::text[], $8::text[], $9::text[],
                                 $10::interval[], $11::boolean[])
                WITH ORDINALITY AS i (id, update_id, status, attempt, progress, tokens_used, error_message, metadata, traceparent,
                                      run_after, counts_as_failure, ord)
        ),
        locked AS MATERIALIZED (
            SELECT g.id, g.user_id, g.type, g.status, g.attempt, g.failures, g.progress, g.tokens_used, g.run_at, g.last_update_id,
                   g.lease_owner, g.lease_expires_at, g.cancel_requested_at
            FROM generations g WHERE g.id = ANY ($1) ORDER BY g.id
            FOR NO KEY UPDATE
        ),
        judged AS MATERIALIZED (
            SELECT i.ord, l.status AS current_status, CASE
                WHEN l.id IS NULL THEN 'not_found'
                WHEN l.last_update_id = i.update_id THEN 'repeated'
                WHEN l.status IN ('completed', 'failed', 'canceled') THEN 'terminal'
                WHEN l.status = 'pending' AND i.attempt IS NOT NULL THEN 'stale_attempt'
                WHEN l.status = 'pending' AND i.status NOT IN ('failed', 'canceled') THEN 'not_allowed'
                WHEN l.status = 'processing' AND i.attempt IS NULL THEN 'not_allowed'
                WHEN l.status = 'processing' AND i.attempt <> l.attempt THEN 'stale_attempt'
                WHEN (SELECT true FROM status_events e WHERE e.generation_id = l.id AND e.update_id = i.update_id LIMIT 1) THEN 'repeated'
                ELSE 'accepted' END AS verdict,
                CASE WHEN i.status = 'pending' AND l.cancel_requested_at IS NOT NULL THEN 'canceled' ELSE i.status END AS status,
                date_trunc('milliseconds', clock_timestamp() + i.run_after) AS run_at
            FROM input i LEFT JOIN locked l ON l.id = i.id
        ),
        accepted AS MATERIALIZED (
            SELECT l.id, l.user_id, l.type, i.ord, j.status, i.update_id, i.traceparent,
                   CASE WHEN j.status <> i.status THEN i.metadata::jsonb - 'errorMessage'
                        WHEN i.status = 'pending' AND i.run_after > interval '0'
                        THEN i.metadata::jsonb || jsonb_build_object('retryAt', (extract(epoch FROM j.run_at) * 1000)::bigint)
                        ELSE i.metadata::jsonb END AS metadata,
                   l.attempt,
                   l.failures + i.counts_as_failure::int AS failures,
                   CASE WHEN j.status <> 'pending' THEN COALESCE(i.progress, l.progress) END AS progress,
                   CASE WHEN i.status = 'completed'
                        THEN ARRAY(SELECT jsonb_array_elements_text(i.metadata::jsonb -> 'resultUrls')) END AS result_urls,
                   COALESCE(i.tokens_used, l.tokens_used) AS tokens_used,
                   CASE WHEN i.status = 'failed' THEN i.error_message END AS error_message,
                   CASE WHEN j.status = 'pending' THEN j.run_at ELSE l.run_at END AS run_at,
                   CASE WHEN i.status = 'processing' THEN l.lease_owner END AS lease_owner,
                   CASE WHEN i.status = 'processing' THEN l.lease_expires_at END AS lease_expires_at
            FROM judged j JOIN input i ON i.ord = j.ord JOIN locked l ON l.id = i.id
            WHERE j.verdict = 'accepted'
        ),
        {LogSql.Tail}
        SELECT j.verdict, j.current_status, n.user_id, n.type, n.seq, n.occurred_at, n.status, (n.metadata -> 'retryAt')::bigint
        FROM judged j LEFT JOIN numbered n ON n.ord = j.ord
        ORDER BY j.ord
        """;

    private readonly StatusMetadata?[] _metadata = [.. changes.Select(MetadataOf)];

    public IReadOnlyList<StatusChange> Changes => changes;

    /// <summary>The command that appends them all; to be made anew for each try.</summary>
    public NpgsqlCommand CreateCommand(NpgsqlDataSource dataSource)
    {
        var command = dataSource.CreateCommand(Sql);
        Add(command, changes.Select(c => c.GenerationId));
        Add(command, changes.Select(c => c.UpdateId));
        Add(command, changes.Select(c => c.Status.ToWireName()));
        Add(command, changes.Select(c => c.Attempt));
        Add(command, changes.Select(c => c.Status == GenerationStatus.Completed ? 100 : c.Progress));
        Add(command, changes.Select(c => c.TokensUsed));
        Add(command, _metadata.Select(m => m?.ErrorMessage), NpgsqlDbType.Text);
        Add(command, _metadata.Select(EventReader.EncodeMetadata), NpgsqlDbType.Text);
        Add(command, changes.Select(c => c.TraceParent), NpgsqlDbType.Text);
        Add(command, changes.Select(c => c.RunAfter));
        Add(command, changes.Select(c => c.CountsAsFailure));
        return command;
    }

    /// <summary>Reads the outcome of the change at <paramref name="index"/> from its row.</summary>
    public AppendResult ReadResult(NpgsqlDataReader reader, int index)
    {
        var change = changes[index];
        var current = reader.IsDBNull(1) ? (GenerationStatus?)null : EventReader.ParseStatus(reader.GetString(1));
        return reader.GetString(0) switch
        {
            "accepted" => new AppendResult(
                new StatusUpdate
                {
                    GenerationId = change.GenerationId,
                    UserId = reader.GetString(2),
                    Type = EventReader.ParseType(reader.GetString(3)),
                    Status = EventReader.ParseStatus(reader.GetString(6)),
                    Seq = reader.GetInt64(4),
                    Timestamp = reader.GetFieldValue<DateTimeOffset>(5).ToUnixTimeMilliseconds(),
                    TraceParent = change.TraceParent,
                    Metadata = MetadataOf(reader, index),
                },
                null,
                null),
            "not_found" => new AppendResult(null, RefusalReason.NotFound, null),
            "stale_attempt" => new AppendResult(null, RefusalReason.StaleAttempt, current),
            "not_allowed" => new AppendResult(null, RefusalReason.NotAllowed, current),
            _ => new AppendResult(null, RefusalReason.Terminal, current),
        };
    }

    // What the statement made of it: the same as in the event's row.
    private StatusMetadata? MetadataOf(NpgsqlDataReader reader, int index) => changes[index].Status switch
    {
        GenerationStatus.Pending when EventReader.ParseStatus(reader.GetString(6)) != GenerationStatus.Pending =>
            _metadata[index]! with { ErrorMessage = null },
        GenerationStatus.Pending when !reader.IsDBNull(7) => _metadata[index]! with { RetryAt = reader.GetInt64(7) },
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

    private static void Add<T>(NpgsqlCommand command, IEnumerable<T> values) =>
        command.Parameters.Add(new NpgsqlParameter<T[]> { TypedValue = [.. values] });

    private static void Add(NpgsqlCommand command, IEnumerable<string?> values, NpgsqlDbType type) =>
        command.Parameters.Add(new NpgsqlParameter<string?[]> { TypedValue = [.. values], NpgsqlDbType = NpgsqlDbType.Array | type });
}
