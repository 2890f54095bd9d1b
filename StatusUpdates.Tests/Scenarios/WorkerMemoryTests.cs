using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Scenarios;

[Long]
public sealed class WorkerMemoryTests(TestServers servers, ITestOutputHelper output)
{
    private const int Users = 100;
    private const int BatchSize = 2000;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_worker_is_no_larger_after_twice_as_many_generations()
    {
        var count = ScenarioSize.Of(small: 6_000, full: 100_000) / Users * Users;
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        await using var worker = await WorkerProcess.StartWithAsync(
            TestProviders.Idle,
            database,
            redis,
            ("Worker:Concurrency", "200"),
            ("Worker:PollInterval", "00:00:00.100"),
            ("Logging:LogLevel:Default", "Warning"),
            ("Logging:LogLevel:Microsoft.Hosting.Lifetime", "Information"));

        await RunAsync(database, count);
        var once = await worker.ReadHeapAsync();
        await RunAsync(database, count);
        var twice = await worker.ReadHeapAsync();

        output.WriteLine($"{once:N0} bytes after {count:N0} generations, {twice:N0} after {2 * count:N0}");
        Assert.InRange(twice, once * 0.9, once * 1.1);
        Assert.Equal(2L * count, await database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'completed' AND attempt = 1", Token));
    }

    private static async Task RunAsync(TestDatabase database, int count)
    {
        for (var left = count; left > 0; left -= BatchSize)
        {
            await SubmitAsync(database, Math.Min(left, BatchSize));
            await database.UntilAsync(
                "SELECT NOT (EXISTS (SELECT FROM generations WHERE status = 'pending') OR EXISTS (SELECT FROM generations WHERE status = 'processing'))");
        }
    }

    // In bulk, because only the worker is measured.
    private static async Task SubmitAsync(TestDatabase database, int count)
    {
        await database.ExecuteAsync(
            $"""
            WITH heads AS (
                INSERT INTO user_streams AS s (user_id, last_seq, oldest_seq, last_check)
                SELECT 'user-' || n, {count / Users}, 1, 0 FROM generate_series(0, {Users - 1}) n
                ON CONFLICT (user_id) DO UPDATE SET last_seq = s.last_seq + EXCLUDED.last_seq
                RETURNING user_id, last_seq - {count / Users} AS before
            ),
            created AS (
                INSERT INTO generations (id, user_id, type, task, status, seq, first_seq, prompt, created_at, updated_at, run_at, attempt, failures, last_update_id)
                SELECT 'gen-' || gen_random_uuid(), user_id, 'product_card', 'product_card', 'pending', before + n, before + n, 'a prompt',
                       now(), now(), now(), 0, 0, gen_random_uuid()
                FROM heads, generate_series(1, {count / Users}) n
                RETURNING *
            )
            INSERT INTO status_events (user_id, seq, generation_id, type, status, occurred_at, update_id)
            SELECT user_id, seq, id, type, status, created_at, last_update_id FROM created
            """,
            Token);
    }
}
