using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Queue;

/// <summary>
/// The generations table as a job queue: a claim gives a worker a lease and the next attempt number, its fencing token.
/// Thread-safe; one instance serves a process.
/// </summary>
public sealed class GenerationQueue(StatusDatabase database)
{
    // An expired lease is resolved by whoever claims next: canceled if that was asked for, failed if its failures are used up, else the
    // next attempt. Rows that another claimer holds are skipped, so claimers never wait for each other.
    private const string ClaimSql =
        $"""
        WITH expired AS MATERIALIZED (
            SELECT g.id, g.user_id, g.type, g.task, g.status, g.seq, g.prompt, g.options, g.attempt, g.failures + 1 AS failures,
                   g.tokens_used, g.run_at, g.cancel_requested_at
            FROM generations g
            WHERE g.status = 'processing' AND g.task = ANY ($1) AND g.lease_expires_at < now()
            ORDER BY g.id LIMIT $2
            FOR NO KEY UPDATE SKIP LOCKED
        ),
        due AS MATERIALIZED (
            SELECT g.id, g.user_id, g.type, g.task, g.status, g.seq, g.prompt, g.options, g.attempt, g.failures,
                   g.tokens_used, g.run_at, g.cancel_requested_at
            FROM generations g
            WHERE g.status = 'pending' AND g.task = ANY ($1) AND g.run_at <= now()
            ORDER BY g.run_at, g.id LIMIT $2 - (SELECT count(*) FROM expired)
            FOR NO KEY UPDATE SKIP LOCKED
        ),
        candidates AS MATERIALIZED (
            SELECT c.*, row_number() OVER (ORDER BY c.run_at, c.id) AS ord, CASE
                WHEN c.cancel_requested_at IS NOT NULL THEN 'canceled'
                WHEN c.status = 'processing' AND c.failures >= $5 THEN 'failed'
                ELSE 'processing' END AS next_status
            FROM (SELECT * FROM expired UNION ALL SELECT * FROM due) c
        ),
        attempts AS MATERIALIZED (
            SELECT c.*, c.attempt + (c.next_status = 'processing')::int AS next_attempt,
                   CASE WHEN c.next_status = 'failed' THEN 'The worker stopped responding, ' || c.failures || ' times.' END AS error_message
            FROM candidates c
        ),
        accepted AS MATERIALIZED (
            SELECT a.id, a.user_id, a.type, a.ord, a.status AS previous, a.next_status AS status, ($6::uuid[])[a.ord] AS update_id, e.traceparent,
                   jsonb_strip_nulls(jsonb_build_object('attempt', NULLIF(a.next_attempt, 0), 'errorMessage', a.error_message)) AS metadata,
                   a.next_attempt AS attempt, a.failures, NULL::int AS progress, NULL::text[] AS result_urls, a.tokens_used,
                   a.error_message, a.run_at,
                   CASE WHEN a.next_status = 'processing' THEN $3::text END AS lease_owner,
                   CASE WHEN a.next_status = 'processing' THEN clock_timestamp() + $4::interval END AS lease_expires_at
            FROM attempts a LEFT JOIN status_events e ON e.user_id = a.user_id AND e.seq = a.seq
        ),
        {LogSql.Tail}
        SELECT n.id, n.user_id, n.type, n.status, n.occurred_at, n.seq, n.traceparent, n.metadata::text,
               c.task, c.prompt, c.options::text, n.attempt, n.failures
        FROM numbered n JOIN candidates c ON c.id = n.id
        ORDER BY n.ord
        """;

    private const string ExtendSql =
        """
        WITH held AS MATERIALIZED (
            SELECT g.id FROM generations g WHERE g.status = 'processing' AND g.lease_owner = $1 ORDER BY g.id
            FOR NO KEY UPDATE
        )
        UPDATE generations g SET lease_expires_at = clock_timestamp() + $2::interval
        FROM held h
        WHERE g.id = h.id AND g.status = 'processing' AND g.lease_owner = $1
        RETURNING g.id, g.attempt, g.cancel_requested_at IS NOT NULL
        """;

    /// <summary>Claims generations that are due, oldest first, and resolves expired leases.</summary>
    /// <returns>What this worker holds now, and all updates to be announced.</returns>
    /// <exception cref="NpgsqlException">The database did not answer within <see cref="StatusDatabaseOptions.RetryFor"/>. What a lost answer
    /// claimed shows up in <see cref="ExtendLeasesAsync"/> and is handed back.</exception>
    public Task<ClaimResult> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken = default)
    {
        string[] tasks = [.. request.Tasks.Select(t => t.ToWireName())];
        return database.RetryAsync(
            async token =>
            {
                await using var command = database.DataSource.CreateCommand(ClaimSql);
                command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = tasks });
                command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = request.Limit });
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = request.Owner });
                command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = request.Lease });
                command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = request.MaxFailures });
                command.Parameters.Add(new NpgsqlParameter<Guid[]>
                {
                    TypedValue = [.. Enumerable.Range(0, request.Limit).Select(_ => Guid.CreateVersion7())],
                });
                return await ReadClaimAsync(command, token);
            },
            cancellationToken);
    }

    /// <summary>Extends all leases of a worker in one statement.</summary>
    /// <returns>What the worker holds; a generation that it runs and that is not among them was lost.</returns>
    /// <exception cref="NpgsqlException">The database did not answer in time.</exception>
    public Task<IReadOnlyList<HeldLease>> ExtendLeasesAsync(
        string owner, TimeSpan lease, CancellationToken cancellationToken = default) =>
        database.RetryAsync<IReadOnlyList<HeldLease>>(
            async token =>
            {
                await using var command = database.DataSource.CreateCommand(ExtendSql);
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = owner });
                command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = lease });
                await using var reader = await command.ExecuteReaderAsync(token);
                var held = new List<HeldLease>();
                while (await reader.ReadAsync(token))
                {
                    held.Add(new HeldLease(reader.GetString(0), reader.GetInt32(1), reader.GetBoolean(2)));
                }

                return held;
            },
            cancellationToken);

    private static async Task<ClaimResult> ReadClaimAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var claimed = new List<ClaimedGeneration>();
        var updates = new List<StatusUpdate>();
        while (await reader.ReadAsync(cancellationToken))
        {
            var update = EventReader.Read(reader, 0);
            updates.Add(update);
            if (update.Status == GenerationStatus.Processing)
            {
                claimed.Add(new ClaimedGeneration
                {
                    Id = update.GenerationId,
                    UserId = update.UserId,
                    Type = update.Type,
                    Task = GenerationTaskNames.Parse(reader.GetString(8)),
                    Prompt = reader.GetString(9),
                    Options = reader.IsDBNull(10) ? null : reader.GetString(10),
                    Attempt = reader.GetInt32(11),
                    Failures = reader.GetInt32(12),
                    TraceParent = update.TraceParent,
                });
            }
        }

        DataTelemetry.Appended.Add(updates.Count);
        return new ClaimResult(claimed, updates);
    }
}
