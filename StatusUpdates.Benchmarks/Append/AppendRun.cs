using System.Diagnostics;
using Npgsql;
using StatusUpdates.Benchmarks.Latency;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Append;

/// <summary>Runs the cases of <c>append</c>, all over the same generations.</summary>
internal sealed class AppendRun(
    BenchmarkSystem system,
    StatusLogOptions options,
    IReadOnlyList<(string UserId, string GenerationId)> many,
    IReadOnlyList<(string UserId, string GenerationId)> hot,
    RawWriter floor,
    RawWriter bareFloor,
    TimeSpan warmUp,
    TimeSpan duration)
{
    private const int FirstAttempt = 1;

    /// <summary>The floor: batches of a fixed size, on as many connections as the log has lanes.</summary>
    /// <param name="withIndexes">Whether to use the table with the log's indexes.</param>
    /// <param name="setBased">Whether to use one statement per batch instead of one per update, sent in one message.</param>
    /// <param name="size">Updates per transaction.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<AppendFigures> RawBatchesAsync(bool withIndexes, bool setBased, int size, CancellationToken cancellationToken)
    {
        var raw = withIndexes ? floor : bareFloor;

        // Connections share no users, so they never wait for each other's locks. No batch contains a generation twice.
        var shares = Enumerable.Range(0, options.Lanes).Select(lane => many.Where(m => Lane(m.UserId) == lane).ToArray()).ToArray();
        var callersOf = new Callers();
        callersOf.Start(options.Lanes, (lane, call) =>
        {
            (string, string)[] batch = [.. Enumerable.Range(call * size, size).Select(i => shares[lane][i % shares[lane].Length])];
            return setBased ? raw.AppendAsync(batch, call % 100, cancellationToken) : raw.AppendEachAsync(batch, call % 100, cancellationToken);
        });
        return await MeasureAsync(callersOf, .., size, _ => size, cancellationToken);
    }

    /// <summary>One update per transaction, with raw Npgsql.</summary>
    public async Task<AppendFigures> OneByOneAsync(int callers, CancellationToken cancellationToken)
    {
        var running = new Callers();
        running.Start(callers, (caller, call) => floor.AppendEachAsync([Pick(many, caller, call, callers)], call % 100, cancellationToken));
        return await MeasureAsync(running, .., 1, _ => 1, cancellationToken);
    }

    /// <summary>Through <see cref="StatusLog"/>.</summary>
    /// <param name="callers">Callers that write to generations of many users.</param>
    /// <param name="hotCallers">Callers that at the same time write to generations of one user. Measured only if there are no other callers.</param>
    /// <param name="publisher">Publishes the committed updates; null for none.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<AppendFigures> LogAsync(int callers, int hotCallers, StatusPublisher? publisher, CancellationToken cancellationToken)
    {
        await using var database = new Data.Database.StatusDatabase(system.Database);
        await using var log = new StatusLog(database, options, publisher);
        var running = new Callers();
        running.Start(callers, (caller, call) => AppendAsync(log, Pick(many, caller, call, callers), call));
        running.Start(hotCallers, (caller, call) => AppendAsync(log, Pick(hot, caller, call, hotCallers), call));
        var before = await CountAsync(cancellationToken);
        using var transactions = new CommitCounter();
        var figures = await MeasureAsync(running, callers > 0 ? ..callers : .., 1, _ => transactions.PerCommit, cancellationToken);

        // Every acknowledged update is in the log exactly once, and the seqs have no gap.
        var after = await CountAsync(cancellationToken);
        return after.Events - before.Events == running.Count && after.Events == after.Numbers
            ? figures
            : throw new BenchmarkFailedException(
                $"{running.Count} updates were acknowledged, {after.Events - before.Events} were written; the log has {after.Events} events for {after.Numbers} seqs.");
    }

    private static async Task AppendAsync(StatusLog log, (string UserId, string GenerationId) generation, int call)
    {
        var result = await log.AppendAsync(new StatusChange
        {
            GenerationId = generation.GenerationId,
            UserId = generation.UserId,
            Status = GenerationStatus.Processing,
            Attempt = FirstAttempt,
            Progress = call % 100,
            TraceParent = TraceParent.New(),
        });
        if (!result.IsCommitted)
        {
            throw new BenchmarkFailedException($"The log refused an update: {result.Refusal}.");
        }
    }

    private async Task<AppendFigures> MeasureAsync(
        Callers callers, Range counted, int updatesPerCall, Func<int, double> perCommit, CancellationToken cancellationToken)
    {
        var cpu = system.ReadCpu();
        var started = Stopwatch.GetTimestamp();
        var window = await callers.RunForAsync(warmUp, duration, cancellationToken);
        var seconds = Stopwatch.GetElapsedTime(window.From, window.To).TotalSeconds;
        var whole = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var calls = Distribution.Of(callers.Durations(window, counted));
        return new AppendFigures(calls.Count * updatesPerCall / seconds, calls, perCommit(calls.Count), system.ReadCpu() - cpu, whole, (long)callers.Count * updatesPerCall);
    }

    // Callers share no generations.
    private static (string UserId, string GenerationId) Pick(IReadOnlyList<(string, string)> from, int caller, int call, int callers) =>
        from[((call * callers) + caller) % (from.Count / callers * callers)];

    private int Lane(string userId) => (int)((uint)string.GetHashCode(userId, StringComparison.Ordinal) % (uint)options.Lanes);

    private async Task<(long Events, long Numbers)> CountAsync(CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(system.Database);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(
            "SELECT (SELECT count(*) FROM status_events), (SELECT sum(last_seq)::bigint FROM user_streams)", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return (reader.GetInt64(0), reader.GetInt64(1));
    }
}
