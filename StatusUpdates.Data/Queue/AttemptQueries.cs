using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Queue;

/// <summary>
/// Reads who holds which attempt. What it says may be over a moment later: a write still has to state its attempt and its holder. Thread-safe.
/// </summary>
public sealed class AttemptQueries(StatusDatabase database)
{
    /// <summary>Those of these generations that the worker holds.</summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public Task<IReadOnlyList<HeldGeneration>> FindHeldAsync(
        string owner, IReadOnlyCollection<string> generationIds, CancellationToken cancellationToken = default) =>
        StatusDatabase.ReadAsync<IReadOnlyList<HeldGeneration>>(
            async token =>
            {
                await using var command = database.DataSource.CreateCommand(
                    """
                    -- find held
                    SELECT id, user_id, task, attempt, cancel_requested_at IS NOT NULL, now() - run_at, deadline - now()
                    FROM generations WHERE id = ANY ($1) AND status = 'processing' AND lease_owner = $2
                    """);
                command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. generationIds] });
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = owner });
                await using var reader = await command.ExecuteReaderAsync(token);
                return await reader.ReadAllAsync(
                    static row => new HeldGeneration(
                        row.GetString(1),
                        row.GetString(2),
                        new HeldLease(row.GetString(0), row.GetInt32(3), row.GetBoolean(4)) { RunningFor = row.GetTimeSpan(5), TimeLeft = TimeOf(row, 6) }),
                    token);
            },
            cancellationToken);

    /// <summary>The generation as an attempt at it finds it; null if there is none.</summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public Task<AttemptState?> FindAsync(string generationId, CancellationToken cancellationToken = default) => StatusDatabase.ReadAsync(
        async token =>
        {
            await using var command = database.DataSource.CreateCommand(
                """
                -- find attempt
                SELECT g.user_id, g.task, g.status, g.attempt, g.lease_owner, g.failures, g.cancel_requested_at IS NOT NULL,
                       now() - g.run_at, g.deadline - now(), e.traceparent
                FROM generations g LEFT JOIN status_events e ON e.user_id = g.user_id AND e.seq = g.seq
                WHERE g.id = $1
                """);
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = generationId });
            await using var reader = await command.ExecuteReaderAsync(token);
            return await reader.ReadAsync(token) ? ReadState(reader) : null;
        },
        cancellationToken);

    private static AttemptState ReadState(NpgsqlDataReader row) => new()
    {
        UserId = row.GetString(0),
        Task = row.GetString(1),
        Status = GenerationStatusNames.Parse(row.GetString(2)),
        Attempt = row.GetInt32(3),
        LeaseOwner = row.IsDBNull(4) ? null : row.GetString(4),
        Failures = row.GetInt32(5),
        IsCancelRequested = row.GetBoolean(6),
        RunningFor = row.GetTimeSpan(7),
        TimeLeft = TimeOf(row, 8),
        TraceParent = row.IsDBNull(9) ? null : row.GetString(9),
    };

    private static TimeSpan? TimeOf(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetTimeSpan(column);
}

/// <summary>A generation that a worker holds.</summary>
public sealed record HeldGeneration(string UserId, string Task, HeldLease Lease);

/// <summary>A generation as an attempt at it finds it. Times are the database's.</summary>
public sealed record AttemptState
{
    /// <summary>Its owner.</summary>
    public required string UserId { get; init; }

    /// <summary>Its processor.</summary>
    public required string Task { get; init; }

    /// <summary>Its status.</summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>Its latest attempt.</summary>
    public required int Attempt { get; init; }

    /// <summary>The worker that holds it; null if none does.</summary>
    public required string? LeaseOwner { get; init; }

    /// <summary>How many attempts have failed so far.</summary>
    public required int Failures { get; init; }

    /// <summary>Whether its owner has requested cancellation.</summary>
    public required bool IsCancelRequested { get; init; }

    /// <summary>While it runs: how long ago its attempt began.</summary>
    public required TimeSpan RunningFor { get; init; }

    /// <summary>The time until its deadline; null if there is none.</summary>
    public required TimeSpan? TimeLeft { get; init; }

    /// <summary>The trace of its latest update (W3C Trace Context).</summary>
    public required string? TraceParent { get; init; }

    /// <summary>Whether this worker holds it, as this attempt.</summary>
    public bool IsHeldBy(string owner, int attempt) => Status == GenerationStatus.Processing && LeaseOwner == owner && Attempt == attempt;
}
