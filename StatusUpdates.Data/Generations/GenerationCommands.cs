using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Generations;

/// <summary>Submits and cancels generations. Not thread-safe, like its <see cref="GenerationQueries"/>.</summary>
public sealed class GenerationCommands(StatusDatabase database, GenerationQueries queries)
{
    // Submissions of one user are checked one after the other, each against what the ones before it have added. The lock is a statement of its own:
    // the snapshot of the next statement then includes everything committed until then. Users with the same hash wait for each other a little longer.
    private const string LockUserSql = "SELECT pg_advisory_xact_lock(hashtextextended('submit ' || $1, 0))";

    // The stream's lock comes first here, which does not violate the lock order: nobody else can lock the new generation yet, and a submission that
    // waits for its idempotency key must hold the same user's stream. If another submission takes the key meanwhile, this statement fails with a
    // unique violation, and its number is rolled back; the next try finds the other's row. An earlier submission is locked, which makes this a
    // write: it is answered when everything before it is as durable as a commit must be.
    private const string SubmitSql =
        """
        -- submit
        WITH known AS (
            SELECT id FROM generations WHERE id = $1
            UNION ALL
            SELECT id FROM generations WHERE user_id = $2 AND idempotency_key = $7 AND id <> $1
        ),
        existing AS MATERIALIZED (
            SELECT id, request_hash FROM generations WHERE id = ANY (ARRAY(SELECT id FROM known)) FOR KEY SHARE
        ),
        quota_check AS MATERIALIZED (
            SELECT CASE WHEN sum(count) FILTER (WHERE status = 'pending') >= $12 THEN 'pending' WHEN sum(count) >= $13 THEN 'stored' END AS refusal
            FROM generation_counts WHERE user_id = $2 AND NOT EXISTS (SELECT FROM existing)
        ),
        stream AS (
            INSERT INTO user_streams AS s (user_id, last_seq, oldest_seq, last_check)
            SELECT $2, 1, 1, log_check($9) FROM quota_check
            WHERE refusal IS NULL AND NOT EXISTS (SELECT FROM existing) AND COALESCE($11 > now(), true)
            ON CONFLICT (user_id) DO UPDATE SET
                last_seq = s.last_seq + 1, last_check = EXCLUDED.last_check, after_check = s.last_check
            RETURNING last_seq AS seq, after_check, clock_timestamp() AS occurred_at
        ),
        created AS (
            INSERT INTO generations (id, user_id, type, task, status, seq, first_seq, prompt, options, created_at, updated_at, run_at,
                                     attempt, failures, idempotency_key, request_hash, last_update_id, deadline)
            SELECT $1, $2, $3, $4, 'pending', seq, seq, $5, $6::jsonb, occurred_at, occurred_at, occurred_at, 0, 0, $7, $8, $9, $11 FROM stream
        ),
        logged AS (
            INSERT INTO status_events (user_id, seq, generation_id, type, status, occurred_at, metadata, update_id, traceparent)
            SELECT $2, seq, $1, $3, 'pending', occurred_at, NULL, $9, $10 FROM stream
        ),
        counted AS (
            INSERT INTO generation_counts AS c (user_id, type, status, count) SELECT $2, $3, 'pending', 1 FROM stream
            ON CONFLICT (user_id, type, status) DO UPDATE SET count = c.count + 1
        )
        SELECT seq, occurred_at, NULL::text, NULL::bytea, after_check, NULL::text FROM stream
        UNION ALL
        SELECT NULL, NULL, id, request_hash, NULL, NULL FROM existing
        UNION ALL
        SELECT NULL, NULL, NULL, NULL, NULL, refusal FROM quota_check WHERE refusal IS NOT NULL
        """;

    private const string CancelSql =
        $"""
        -- cancel
        WITH locked AS MATERIALIZED (
            SELECT * FROM generations WHERE id = $1 AND user_id = $2
            FOR NO KEY UPDATE
        ),
        requested AS (
            UPDATE generations g SET cancel_requested_at = clock_timestamp()
            FROM locked l WHERE g.id = l.id AND l.status = 'processing' AND l.cancel_requested_at IS NULL
        ),
        accepted AS MATERIALIZED (
            SELECT l.id AS generation_id, l.user_id, l.type, 1 AS ord, l.status AS previous, 'canceled' AS status, $3::uuid AS update_id, $4::text AS traceparent,
                   NULL::jsonb AS metadata, l.attempt, l.failures, l.progress, l.run_at, NULL::text AS lease_owner, NULL::timestamptz AS lease_expires_at
            FROM locked l WHERE l.status = 'pending'
        ),
        {LogSql.Tail}
        SELECT l.status, l.last_update_id = $3, {EventReader.NumberedColumns}
        FROM locked l LEFT JOIN numbered e ON e.generation_id = l.id
        """;

    /// <summary>Like the other overload, without a quota.</summary>
    public Task<SubmitResult> SubmitAsync(Submission submission, CancellationToken cancellationToken = default) =>
        SubmitAsync(submission, null, cancellationToken);

    /// <summary>Queues a generation: its row, its place in the queue and its first update are one commit.</summary>
    /// <param name="submission">The submission.</param>
    /// <param name="quota">The user's limits, checked and used up atomically; null for no limits.</param>
    /// <param name="cancellationToken">Stops waiting; the submission may still be committed.</param>
    /// <returns>The new generation, or that of the earlier submission with the same key.</returns>
    /// <exception cref="ArgumentException">A key without a hash.</exception>
    /// <exception cref="DeadlinePassedException">Its deadline has passed, and it was not submitted before.</exception>
    /// <exception cref="QuotaReachedException">The user has reached a limit, and it was not submitted before.</exception>
    /// <exception cref="NpgsqlException">The database did not answer in time; the same submission may be repeated.</exception>
    public async Task<SubmitResult> SubmitAsync(Submission submission, SubmissionQuota? quota, CancellationToken cancellationToken = default)
    {
        if (submission is { IdempotencyKey: not null, RequestHash: null })
        {
            throw new ArgumentException("An idempotency key needs the request's hash.", nameof(submission));
        }

        var (seq, occurredAt, after, existingId, existingHash) = await database.RetryAsync(
            token => TrySubmitAsync(submission, quota, token), cancellationToken);
        if (existingId is not null)
        {
            if (await queries.FindAsync(submission.UserId, existingId, cancellationToken) is not { } existing)
            {
                // Retention has deleted it since, and its key is free.
                return await SubmitAsync(submission, quota, cancellationToken);
            }

            var same = existingId == submission.GenerationId || existingHash.AsSpan().SequenceEqual(submission.RequestHash);
            return new SubmitResult(same ? SubmitOutcome.Repeated : SubmitOutcome.KeyReused, existing, null);
        }

        DataTelemetry.Appended.Add(1);
        var generation = NewGeneration(submission, seq, occurredAt);
        return new SubmitResult(
            SubmitOutcome.Created,
            generation,
            new StatusUpdate
            {
                GenerationId = generation.Id,
                UserId = generation.UserId,
                Type = generation.Type,
                Status = GenerationStatus.Pending,
                Timestamp = occurredAt.ToUnixTimeMilliseconds(),
                Seq = seq,
                Cursor = EventReader.CursorOf(seq, submission.UpdateId),
                After = after,
                TraceParent = submission.TraceParent,
            });
    }

    /// <summary>Cancels a pending generation, or asks the worker of a running one to stop. Idempotent.</summary>
    /// <exception cref="NpgsqlException">The database did not answer in time; the call may be repeated.</exception>
    public async Task<CancelResult> CancelAsync(
        string userId, string generationId, string? traceParent = null, CancellationToken cancellationToken = default)
    {
        var updateId = Guid.CreateVersion7();
        var result = await database.RetryAsync(
            token =>
            {
                var command = new NpgsqlCommand(CancelSql);
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = generationId });
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = userId });
                command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = updateId });
                command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = traceParent });
                return database.WriteAsync(
                    command,
                    static async reader => await reader.ReadAsync() ? ReadCancel(reader) : new CancelResult(CancelOutcome.NotFound, null),
                    token);
            },
            cancellationToken);
        if (result.Update is not null)
        {
            DataTelemetry.Appended.Add(1);
        }

        return result;
    }

    private static CancelResult ReadCancel(NpgsqlDataReader reader)
    {
        if (!reader.IsDBNull(2))
        {
            return new CancelResult(CancelOutcome.Canceled, EventReader.ReadNumbered(reader, 2));
        }

        var outcome = GenerationStatusNames.Parse(reader.GetString(0)) switch
        {
            GenerationStatus.Processing => CancelOutcome.Requested,
            // Committed by an earlier try of this call whose answer was lost; the sweep announces it.
            GenerationStatus.Canceled when reader.GetBoolean(1) => CancelOutcome.Canceled,
            GenerationStatus.Canceled => CancelOutcome.AlreadyCanceled,
            _ => CancelOutcome.Terminal,
        };
        return new CancelResult(outcome, null);
    }

    private Task<(long Seq, DateTimeOffset OccurredAt, string? After, string? ExistingId, byte[]? ExistingHash)> TrySubmitAsync(
        Submission submission, SubmissionQuota? quota, CancellationToken cancellationToken)
    {
        var batch = new NpgsqlBatch();
        if (quota is not null)
        {
            batch.BatchCommands.Add(new(LockUserSql) { Parameters = { new NpgsqlParameter<string> { TypedValue = submission.UserId } } });
        }

        var command = new NpgsqlBatchCommand(SubmitSql);
        batch.BatchCommands.Add(command);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = submission.GenerationId });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = submission.UserId });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = submission.Type });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = submission.Task });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = submission.Prompt });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = submission.Options });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = submission.IdempotencyKey });
        command.Parameters.Add(new NpgsqlParameter<byte[]?> { TypedValue = submission.RequestHash });
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = submission.UpdateId });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = submission.TraceParent });
        command.Parameters.Add(new NpgsqlParameter<DateTimeOffset?> { TypedValue = submission.Deadline?.ToUniversalTime() });
        command.Parameters.Add(new NpgsqlParameter<long?> { TypedValue = quota?.MaxPending });
        command.Parameters.Add(new NpgsqlParameter<long?> { TypedValue = quota?.MaxStored });
        return database.WriteAsync(
            batch,
            async reader =>
            {
                if (quota is not null)
                {
                    await reader.NextResultAsync();
                }

                return await ReadSubmitAsync(reader);
            },
            cancellationToken);
    }

    private static async Task<(long Seq, DateTimeOffset OccurredAt, string? After, string? ExistingId, byte[]? ExistingHash)> ReadSubmitAsync(NpgsqlDataReader reader)
    {
        if (!await reader.ReadAsync())
        {
            throw new DeadlinePassedException();
        }

        if (!reader.IsDBNull(5))
        {
            throw new QuotaReachedException(reader.GetString(5) == "pending");
        }

        return reader.IsDBNull(2)
            ? (reader.GetInt64(0), reader.GetFieldValue<DateTimeOffset>(1), EventReader.AfterOf(reader, 4, reader.GetInt64(0)), null, null)
            : (0, default, null, reader.GetString(2), reader.IsDBNull(3) ? null : reader.GetFieldValue<byte[]>(3));
    }

    private static Generation NewGeneration(Submission submission, long seq, DateTimeOffset occurredAt) => new()
    {
        Id = submission.GenerationId,
        UserId = submission.UserId,
        Type = submission.Type,
        Task = submission.Task,
        Status = GenerationStatus.Pending,
        Seq = seq,
        FirstSeq = seq,
        Prompt = submission.Prompt,
        Options = submission.Options,
        CreatedAt = occurredAt,
        UpdatedAt = occurredAt,
        RunAt = occurredAt,
        Attempt = 0,
        Failures = 0,
        Deadline = submission.Deadline,
        IdempotencyKey = submission.IdempotencyKey,
        RequestHash = submission.RequestHash,
        LastUpdateId = submission.UpdateId,
    };
}
