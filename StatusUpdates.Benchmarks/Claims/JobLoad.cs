using Microsoft.EntityFrameworkCore;
using Npgsql;
using StackExchange.Redis;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Claims;

/// <summary>Fills the queue, waits until it is empty, and evaluates all jobs from the log. Times are the database's.</summary>
internal sealed class JobLoad(StatusDatabase database, IConnectionMultiplexer redis)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    private readonly StatusPublisher _publisher = new(redis);

    public Task ClearAsync(CancellationToken cancellationToken) =>
        ExecuteAsync("TRUNCATE generations, status_events, user_streams, generation_counts", cancellationToken);

    /// <summary>Submits one job and publishes its update, as the API does.</summary>
    public async Task SubmitAsync(string userId, CancellationToken cancellationToken)
    {
        var builder = new DbContextOptionsBuilder<StatusDbContext>();
        database.Configure(builder);
        await using var context = new StatusDbContext(builder.Options);
        var result = await new GenerationCommands(database, new GenerationQueries(context)).SubmitAsync(
            new Submission { UserId = userId, Type = "sora", Task = "sora", Prompt = "a prompt" }, cancellationToken);
        await _publisher.TryPublishAsync([result.Update!]);
    }

    /// <summary>Adds jobs of one user to the queue, in one statement.</summary>
    public Task FillAsync(string userId, int count, CancellationToken cancellationToken) => ExecuteAsync(
        $"""
        WITH stream AS (
            INSERT INTO user_streams (user_id, last_seq, oldest_seq, last_check) VALUES ('{userId}', {count}, 1, 0)
        ),
        created AS (
            INSERT INTO generations (id, user_id, type, task, status, seq, first_seq, prompt, created_at, updated_at, run_at,
                                     attempt, failures, last_update_id)
            SELECT 'gen-' || gen_random_uuid(), '{userId}', 'sora', 'sora', 'pending', i, i, 'a prompt', now(), now(),
                   now() + i * interval '1 microsecond', 0, 0, gen_random_uuid()
            FROM generate_series(1, {count}) i
            RETURNING *
        ),
        counted AS (
            INSERT INTO generation_counts (user_id, type, status, count) VALUES ('{userId}', 'sora', 'pending', {count})
        )
        INSERT INTO status_events (user_id, seq, generation_id, type, status, occurred_at, update_id)
        SELECT user_id, seq, id, type, status, updated_at, last_update_id FROM created
        """,
        cancellationToken);

    public async Task WaitUntilEmptyAsync(CancellationToken cancellationToken)
    {
        while (await ScalarAsync<bool>(
            "SELECT EXISTS (SELECT FROM generations WHERE status = 'pending') OR EXISTS (SELECT FROM generations WHERE status = 'processing')",
            cancellationToken))
        {
            await Task.Delay(PollInterval, cancellationToken);
        }
    }

    /// <exception cref="BenchmarkFailedException">Not every job was completed exactly once, with all its updates in a gapless log.</exception>
    public async Task CheckAsync(int jobs, CancellationToken cancellationToken)
    {
        await using var command = database.DataSource.CreateCommand(
            """
            SELECT (SELECT count(*) FROM generations WHERE status = 'completed' AND attempt = 1),
                   (SELECT count(*) FROM (
                        SELECT FROM status_events GROUP BY generation_id
                        HAVING array_agg(status ORDER BY seq) <> '{pending,processing,completed}') other),
                   (SELECT count(*) FROM user_streams s WHERE last_seq <> (SELECT count(*) FROM status_events e WHERE e.user_id = s.user_id))
            """);
        command.CommandTimeout = 0;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var (completed, other, gaps) = (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2));
        if (completed != jobs || other != 0 || gaps != 0)
        {
            throw new BenchmarkFailedException(
                $"Of {jobs} jobs, {completed} were completed by their first attempt; {other} had unexpected updates, {gaps} logs had gaps.");
        }
    }

    /// <summary>Jobs per second, from the earliest time in the given column to the last completion.</summary>
    public Task<double> PerSecondAsync(string from, CancellationToken cancellationToken) => ScalarAsync<double>(
        $"SELECT count(*) / extract(epoch FROM max(completed_at) - min({from}))::double precision FROM generations", cancellationToken);

    /// <summary>The average number of jobs per claim: jobs whose status became processing in the same transaction.</summary>
    public Task<double> PerClaimAsync(CancellationToken cancellationToken) => ScalarAsync<double>(
        "SELECT count(*)::double precision / count(DISTINCT xmin::text) FROM status_events WHERE status = 'processing'", cancellationToken);

    /// <summary>The percentile of the time, in ms, that jobs of users other than <paramref name="userId"/> waited for a worker.</summary>
    public Task<double> WaitAsync(string userId, double share, CancellationToken cancellationToken) => ScalarAsync<double>(
        FormattableString.Invariant(
            $"""
            SELECT percentile_disc({share}) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - created_at)::double precision * 1000)
            FROM generations WHERE user_id <> '{userId}'
            """),
        cancellationToken);

    /// <summary>The share of these jobs that were submitted while jobs of <paramref name="userId"/> were still waiting.</summary>
    public Task<double> ShareDuringBacklogAsync(string userId, CancellationToken cancellationToken) => ScalarAsync<double>(
        $"""
        SELECT avg((created_at < (SELECT max(started_at) FROM generations WHERE user_id = '{userId}'))::int)::double precision
        FROM generations WHERE user_id <> '{userId}'
        """,
        cancellationToken);

    private async Task<T> ScalarAsync<T>(string sql, CancellationToken cancellationToken)
    {
        await using var command = database.DataSource.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var connection = await database.DataSource.OpenConnectionAsync(cancellationToken);
        await using var command = new NpgsqlCommand("SET statement_timeout = 0; " + sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
