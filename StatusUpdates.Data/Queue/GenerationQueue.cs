using System.Collections.Concurrent;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Queue;

/// <summary>
/// The generations table as a job queue: a claim gives a worker a lease and the next attempt number, its fencing token.
/// Thread-safe; one instance serves a process.
/// </summary>
/// <param name="database">The database.</param>
/// <param name="slack">The assumed maximum between the time that a statement writes and its commit.</param>
public sealed class GenerationQueue(StatusDatabase database, TimeSpan? slack = null)
{
    private static readonly TimeSpan CommitSlack = TimeSpan.FromSeconds(2);

    private readonly TimeSpan _slack = slack ?? CommitSlack;
    private readonly QueueMemory _memory = new(database.Time, slack ?? CommitSlack);

    // With more, those are forgotten that have extended no lease for a while: workers that connect to an API come and go.
    private const int MaxHolders = 256;

    private static readonly TimeSpan HolderLifetime = TimeSpan.FromMinutes(10);

    // What each worker had when this process last extended its leases, and the start time up to which that was all: a claim whose answer was lost
    // may have taken more.
    private readonly ConcurrentDictionary<string, HeldBefore> _held = new(StringComparer.Ordinal);

    // Rows that somebody keeps locked are skipped: one of them must not let the other leases expire. A skipped lease still belongs to this worker as
    // far as is known, and nobody takes it while it is locked, because claims skip it too.
    private const string ExtendSql =
        """
        -- extend leases
        WITH held AS MATERIALIZED (
            SELECT g.id, g.attempt, g.cancel_requested_at IS NOT NULL AS is_cancel_requested, g.run_at, g.deadline
            FROM generations g WHERE g.id = ANY ($3::text[]) AND g.status = 'processing' AND g.lease_owner = $1
            UNION
            SELECT g.id, g.attempt, g.cancel_requested_at IS NOT NULL, g.run_at, g.deadline
            FROM generations g WHERE g.status = 'processing' AND g.attempt >= 0 AND g.run_at > $4 AND g.lease_owner = $1
        ),
        free AS MATERIALIZED (
            SELECT g.id FROM generations g
            WHERE g.id = ANY (ARRAY(SELECT h.id FROM held h WHERE COALESCE(h.id = ANY ($5::text[]), true)))
              AND g.status = 'processing' AND g.lease_owner = $1
              AND ($5 IS NULL OR (g.cancel_requested_at IS NULL AND COALESCE(g.deadline > now(), true) AND g.run_at > now() - $6::interval))
            ORDER BY g.id
            FOR NO KEY UPDATE SKIP LOCKED
        ),
        extended AS (
            UPDATE generations g SET lease_expires_at = clock_timestamp() + $2::interval
            FROM free f
            WHERE g.id = f.id AND g.status = 'processing' AND g.lease_owner = $1
            RETURNING g.id, g.attempt, g.cancel_requested_at IS NOT NULL AS is_cancel_requested, g.run_at, g.deadline
        )
        SELECT l.id, l.attempt, l.is_cancel_requested, l.is_extended, n.now, n.now - l.run_at, l.deadline - n.now
        FROM (SELECT now() AS now) n
        LEFT JOIN (
            SELECT id, attempt, is_cancel_requested, true AS is_extended, run_at, deadline FROM extended
            UNION ALL
            SELECT id, attempt, is_cancel_requested, false, run_at, deadline FROM held h WHERE NOT EXISTS (SELECT FROM extended e WHERE e.id = h.id)
        ) l ON true
        """;

    /// <summary>Claims due generations, the first few of each user; resolves expired leases, and ends overdue generations.</summary>
    /// <returns>The generations that this worker now holds, and all updates to announce.</returns>
    /// <exception cref="NpgsqlException">The database did not answer within <see cref="StatusDatabaseOptions.RetryFor"/>. Generations claimed by a
    /// lost answer appear in <see cref="ExtendLeasesAsync"/> and are handed back.</exception>
    /// <remarks>A claim that took something is a span in the trace of each generation, and the parent of what follows.</remarks>
    public async Task<ClaimResult> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken = default)
    {
        var startedAt = database.Spans.Begin();
        var plan = Plan(request);
        var began = database.Time.GetTimestamp();
        ClaimResult result;
        ClaimFindings found;
        try
        {
            (result, found) = await database.RetryAsync(
                token => database.WriteAsync(database.Claims, CreateClaim(request, plan), reader => ClaimReader.ReadAsync(reader, plan), token), cancellationToken);
        }
        catch (Exception e)
        {
            _memory.GiveBack(plan);
            if (!cancellationToken.IsCancellationRequested)
            {
                database.Spans.RecordFailure("claim", null, startedAt, e);
            }

            throw;
        }

        _memory.Record(plan, found, request.Sweep, database.Time.GetElapsedTime(began));
        DataTelemetry.Appended.Add(result.Updates.Count);
        result = result with { MayHaveMore = result.MayHaveMore || (plan.HasMoreUsers && result.Claimed.Count < request.Limit) };
        return startedAt is null || result.Updates.Count == 0 ? result : Traced(result, startedAt);
    }

    /// <summary>Notes a pending generation from a message: the next claim checks its user first, and need not search for new users.</summary>
    /// <param name="pending">The message.</param>
    /// <param name="tasks">The tasks that it can be of, among those that this process claims.</param>
    public void Hint(StatusUpdate pending, IReadOnlyList<string> tasks) => _memory.Hint(pending, tasks);

    /// <summary>Extends all leases of a worker in one statement, except those that somebody has locked: it does not wait for them.</summary>
    /// <param name="owner">The worker.</param>
    /// <param name="running">The generations that it runs; they need not be searched for.</param>
    /// <param name="lease">The new length of the leases, from now on.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What the worker holds, extended or not; a generation that it runs and that is not among them was lost.</returns>
    /// <exception cref="NpgsqlException">The database did not answer in time.</exception>
    public Task<IReadOnlyList<HeldLease>> ExtendLeasesAsync(
        string owner, IEnumerable<string> running, TimeSpan lease, CancellationToken cancellationToken = default) =>
        ExtendAsync(owner, [.. running], lease, null, cancellationToken);

    /// <summary>
    /// As <see cref="ExtendLeasesAsync"/>, for a worker that is not trusted to stop: it extends only the leases of what the worker says it runs, and none of a generation
    /// that has to stop, because its owner has asked to cancel it, its deadline has passed, or the attempt has taken longer than
    /// <paramref name="limit"/>.
    /// </summary>
    public Task<IReadOnlyList<HeldLease>> ExtendRunningAsync(
        string owner, IEnumerable<string> running, TimeSpan lease, TimeSpan limit, CancellationToken cancellationToken = default) =>
        ExtendAsync(owner, [.. running], lease, limit, cancellationToken);

    private async Task<IReadOnlyList<HeldLease>> ExtendAsync(
        string owner, string[] running, TimeSpan lease, TimeSpan? limit, CancellationToken cancellationToken)
    {
        var before = _held.GetValueOrDefault(owner, HeldBefore.Nothing);
        string[] ids = [.. before.Ids.Union(running, StringComparer.Ordinal)];
        var (held, now) = await database.RetryAsync(
            token =>
            {
                var command = new NpgsqlCommand(ExtendSql);
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = owner });
                command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = lease });
                command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = ids });
                command.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = before.KnownUntil });
                command.Parameters.Add(new NpgsqlParameter<string[]?> { TypedValue = limit is null ? null : running });
                command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = limit ?? TimeSpan.Zero });
                return database.WriteAsync(command, ReadLeasesAsync, token);
            },
            cancellationToken);
        Remember(owner, new([.. held.Select(lease => lease.GenerationId)], now - _slack, database.Time.GetTimestamp()));
        return held;
    }

    /// <summary>Those of these generations that the worker holds and whose owner has requested cancellation.</summary>
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
                return await reader.ReadAllAsync(static row => row.GetString(0), token);
            },
            cancellationToken);

    internal ClaimPlan Plan(ClaimRequest request) => _memory.Plan(request, task => LimitOf(request, task));

    internal static NpgsqlCommand CreateClaim(ClaimRequest request, ClaimPlan plan)
    {
        var limits = plan.Tasks.Select(task => LimitOf(request, task)).ToList();
        var command = new NpgsqlCommand(ClaimSql.TextOf(request.Sweep, plan.Explores));
        Add<string[]>(command, [.. plan.Tasks]);
        Add<int[]>(command, [.. limits.Select(l => l.Free)]);
        Add<int[]>(command, [.. limits.Select(l => l.OfOneUser)]);
        Add<string?[]>(command, [.. plan.Positions]);
        Add<string[]>(command, [.. request.Held.Select(h => h.UserId)]);
        Add<string[]>(command, [.. request.Held.Select(h => h.Task)]);
        Add<int[]>(command, [.. request.Held.Select(h => h.Count)]);
        Add(command, request.Limit);
        Add(command, request.UserLimit);
        Add(command, request.Owner);
        Add(command, request.Lease);
        Add(command, request.MaxFailures);
        Add<Guid[]>(command, [.. Enumerable.Range(0, request.Limit + (request.Sweep ? 2 * ClaimSql.MaxEnded : 0)).Select(_ => Guid.CreateVersion7())]);
        Add(command, request.Sweep);
        Add(command, plan.OverdueAfter);
        Add<DateTimeOffset[]>(command, [.. plan.KnownUntil]);
        Add<string[]>(command, [.. plan.Users.Select(u => u.Task)]);
        Add<string[]>(command, [.. plan.Users.Select(u => u.UserId)]);
        Add<DateTimeOffset[]>(command, [.. plan.Users.Select(u => u.Since)]);
        Add<string[]>(command, [.. plan.Leases]);
        Add(command, plan.RunningKnownUntil);
        return command;
    }

    private static TaskLimit LimitOf(ClaimRequest request, string task) =>
        request.TaskLimits.GetValueOrDefault(task, new TaskLimit(request.Limit, request.UserLimit));

    private static async Task<(IReadOnlyList<HeldLease> Held, DateTimeOffset Now)> ReadLeasesAsync(NpgsqlDataReader reader)
    {
        var held = new List<HeldLease>();
        var now = DateTimeOffset.MinValue;
        while (await reader.ReadAsync())
        {
            now = reader.GetFieldValue<DateTimeOffset>(4);
            if (!reader.IsDBNull(0))
            {
                held.Add(new HeldLease(reader.GetString(0), reader.GetInt32(1), reader.GetBoolean(2), reader.GetBoolean(3))
                {
                    RunningFor = reader.GetTimeSpan(5),
                    TimeLeft = reader.IsDBNull(6) ? null : reader.GetTimeSpan(6),
                });
            }
        }

        return (held, now);
    }

    private void Remember(string owner, HeldBefore held)
    {
        _held[owner] = held;
        if (_held.Count > MaxHolders)
        {
            foreach (var (other, last) in _held)
            {
                if (database.Time.GetElapsedTime(last.At) > HolderLifetime)
                {
                    _held.TryRemove(other, out _);
                }
            }
        }
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

    private static void Add<T>(NpgsqlCommand command, T value) => command.Parameters.Add(new NpgsqlParameter<T> { TypedValue = value });

    private sealed record HeldBefore(string[] Ids, DateTimeOffset KnownUntil, long At)
    {
        public static readonly HeldBefore Nothing = new([], DateTimeOffset.MinValue, 0);
    }
}
