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
    private readonly ClaimRound _round = new();

    // What somebody keeps locked is passed: one row must not let the other leases run out. It is still this worker's, as far as anybody can know now, and
    // nobody takes it while it is locked, for claims pass it too.
    private const string ExtendSql =
        """
        -- extend leases
        WITH held AS MATERIALIZED (
            SELECT g.id, g.attempt, g.cancel_requested_at IS NOT NULL AS is_cancel_requested
            FROM generations g WHERE g.status = 'processing' AND g.lease_owner = $1
        ),
        free AS MATERIALIZED (
            SELECT g.id FROM generations g WHERE g.status = 'processing' AND g.lease_owner = $1 ORDER BY g.id
            FOR NO KEY UPDATE SKIP LOCKED
        ),
        extended AS (
            UPDATE generations g SET lease_expires_at = clock_timestamp() + $2::interval
            FROM free f
            WHERE g.id = f.id AND g.status = 'processing' AND g.lease_owner = $1
            RETURNING g.id, g.attempt, g.cancel_requested_at IS NOT NULL AS is_cancel_requested
        )
        SELECT id, attempt, is_cancel_requested, true FROM extended
        UNION ALL
        SELECT id, attempt, is_cancel_requested, false FROM held h WHERE NOT EXISTS (SELECT FROM extended e WHERE e.id = h.id)
        """;

    /// <summary>Claims generations that are due, the first few of each user; resolves expired leases, and ends what is overdue.</summary>
    /// <returns>What this worker holds now, and all updates to be announced.</returns>
    /// <exception cref="NpgsqlException">The database did not answer within <see cref="StatusDatabaseOptions.RetryFor"/>. What a lost answer
    /// claimed shows up in <see cref="ExtendLeasesAsync"/> and is handed back.</exception>
    /// <remarks>A claim that took something is a span in the trace of each generation; what follows is a part of that.</remarks>
    public async Task<ClaimResult> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken = default)
    {
        var tasks = _round.InTurn(request.Tasks);
        var startedAt = database.Spans.Begin();
        try
        {
            var result = await database.RetryAsync(
                token => database.WriteAsync(CreateClaim(request, tasks), reader => ReadClaimAsync(reader, tasks), token), cancellationToken);
            return startedAt is null || result.Updates.Count == 0 ? result : Traced(result, startedAt);
        }
        catch (Exception e) when (startedAt is not null && !cancellationToken.IsCancellationRequested)
        {
            database.Spans.RecordFailure("claim", null, startedAt, e);
            throw;
        }
    }

    /// <summary>Extends all leases of a worker in one statement, but for those that somebody has locked now: it waits for none.</summary>
    /// <returns>What the worker holds, extended or not; a generation that it runs and that is not among them was lost.</returns>
    /// <exception cref="NpgsqlException">The database did not answer in time.</exception>
    public Task<IReadOnlyList<HeldLease>> ExtendLeasesAsync(
        string owner, TimeSpan lease, CancellationToken cancellationToken = default) =>
        database.RetryAsync(
            token =>
            {
                var command = new NpgsqlCommand(ExtendSql);
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = owner });
                command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = lease });
                return database.WriteAsync(command, ReadLeasesAsync, token);
            },
            cancellationToken);

    /// <summary>Of these generations those that the worker holds and whose owner has asked them to stop.</summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public Task<IReadOnlyList<string>> FindCancelRequestsAsync(
        string owner, IReadOnlyCollection<string> generationIds, CancellationToken cancellationToken = default) =>
        StatusDatabase.ReadAsync<IReadOnlyList<string>>(
            async token =>
            {
                await using var command = database.DataSource.CreateCommand(
                    """
                    -- find cancel requests
                    SELECT id FROM generations
                    WHERE id = ANY ($1) AND status = 'processing' AND lease_owner = $2 AND cancel_requested_at IS NOT NULL
                    """);
                command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. generationIds] });
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = owner });
                await using var reader = await command.ExecuteReaderAsync(token);
                var asked = new List<string>();
                while (await reader.ReadAsync(token))
                {
                    asked.Add(reader.GetString(0));
                }

                return asked;
            },
            cancellationToken);

    internal NpgsqlBatch CreateClaim(ClaimRequest request, IReadOnlyList<GenerationTask> tasks)
    {
        var limits = tasks.Select(t => request.TaskLimits.GetValueOrDefault(t, new TaskLimit(request.Limit, request.UserLimit))).ToList();
        var batch = new NpgsqlBatch();
        batch.BatchCommands.Add(new(ClaimSql.Planning));
        var command = new NpgsqlBatchCommand(ClaimSql.Text);
        Add<string[]>(command, [.. tasks.Select(t => t.ToWireName())]);
        Add<int[]>(command, [.. limits.Select(l => l.Free)]);
        Add<int[]>(command, [.. limits.Select(l => l.OfOneUser)]);
        Add<string[]>(command, [.. tasks.Select(_round.PositionOf)]);
        Add<string[]>(command, [.. request.Held.Select(h => h.UserId)]);
        Add<string[]>(command, [.. request.Held.Select(h => h.Task.ToWireName())]);
        Add<int[]>(command, [.. request.Held.Select(h => h.Count)]);
        Add(command, request.Limit);
        Add(command, request.UserLimit);
        Add(command, request.Owner);
        Add(command, request.Lease);
        Add(command, request.MaxFailures);
        Add<Guid[]>(command, [.. Enumerable.Range(0, request.Limit + (request.Sweep ? 2 * ClaimSql.MaxEnded : 0)).Select(_ => Guid.CreateVersion7())]);
        Add(command, request.Sweep);
        Add(command, _round.OverdueAfter());
        batch.BatchCommands.Add(command);
        return batch;
    }

    private static async Task<IReadOnlyList<HeldLease>> ReadLeasesAsync(NpgsqlDataReader reader)
    {
        var held = new List<HeldLease>();
        while (await reader.ReadAsync())
        {
            held.Add(new HeldLease(reader.GetString(0), reader.GetInt32(1), reader.GetBoolean(2), reader.GetBoolean(3)));
        }

        return held;
    }

    private async Task<ClaimResult> ReadClaimAsync(NpgsqlDataReader reader, IReadOnlyList<GenerationTask> tasks)
    {
        await reader.NextResultAsync();
        var claimed = new List<ClaimedGeneration>();
        var updates = new List<StatusUpdate>();
        var (mayHaveMore, isSwept) = (false, false);
        while (await reader.ReadAsync())
        {
            if (!reader.IsDBNull(0))
            {
                var update = EventReader.Read(reader, 0);
                update = update with { After = EventReader.AfterOf(reader, 9, update.Seq!.Value) };
                updates.Add(update);
                if (update.Status == GenerationStatus.Processing)
                {
                    claimed.Add(ReadClaimed(reader, update));
                }
            }

            (mayHaveMore, isSwept) = (reader.GetBoolean(17), !reader.IsDBNull(18));
            _round.Move(tasks, reader.GetFieldValue<string[]>(16), isSwept ? reader.GetFieldValue<DateTimeOffset>(18) : null);
        }

        DataTelemetry.Appended.Add(updates.Count);
        return new ClaimResult(claimed, updates, mayHaveMore, isSwept);
    }

    private ClaimResult Traced(ClaimResult result, DateTimeOffset? startedAt)
    {
        var traces = new Dictionary<string, string?>(StringComparer.Ordinal);
        var updates = new List<StatusUpdate>(result.Updates.Count);
        foreach (var update in result.Updates)
        {
            using var span = database.Spans.Record("claim", update.TraceParent, startedAt);
            span?.SetTag("messaging.system", "postgresql")
                .SetMessagingOperation("receive", "claim")
                .SetTag("messaging.destination.name", "generations")
                .SetTag("messaging.batch.message_count", result.Updates.Count)
                .SetTag("statusupdates.generation.id", update.GenerationId)
                .SetTag("statusupdates.status", update.Status.ToWireName());
            var trace = span?.Id ?? update.TraceParent;
            traces[update.GenerationId] = trace;
            updates.Add(update with { TraceParent = trace });
        }

        return result with
        {
            Claimed = [.. result.Claimed.Select(claimed => claimed with { TraceParent = traces.GetValueOrDefault(claimed.Id) })],
            Updates = updates,
        };
    }

    private static ClaimedGeneration ReadClaimed(NpgsqlDataReader reader, StatusUpdate update) => new()
    {
        Id = update.GenerationId,
        UserId = update.UserId,
        Type = update.Type,
        Task = GenerationTaskNames.Parse(reader.GetString(10)),
        Prompt = reader.GetString(11),
        Options = reader.IsDBNull(12) ? null : reader.GetString(12),
        Attempt = reader.GetInt32(13),
        Failures = reader.GetInt32(14),
        TimeLeft = reader.IsDBNull(15) ? null : reader.GetTimeSpan(15),
        TraceParent = update.TraceParent,
    };

    private static void Add<T>(NpgsqlBatchCommand command, T value) => command.Parameters.Add(new NpgsqlParameter<T> { TypedValue = value });
}
