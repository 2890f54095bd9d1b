using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Retention;

namespace StatusUpdates.Tests.Worker;

public sealed class RetentionServiceTests(TestServers servers)
{
    private static readonly (string Key, string Value)[] On =
        [("Retention:Enabled", "true"), ("Retention:BatchSize", "3"), ("Retention:Interval", "00:00:01")];

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Everything_old_is_removed_in_batches_and_the_rest_stays()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await FillAsync(db, users: 5, each: 10);
        await db.ExecuteAsync("UPDATE status_events SET occurred_at = now() - interval '31 days' WHERE seq <= 8", Token);
        await db.ExecuteAsync(
            "UPDATE generations SET completed_at = now() - interval '91 days' WHERE status = 'completed'", Token);
        await using var worker = await TestWorker.StartAsync(db, null, null, ("Retention:BatchSize", "3"));

        var removed = (await worker.Retention.RunOnceAsync(Token))!;

        Assert.Equal((10, 40), (removed.Generations, removed.Updates));
        Assert.Equal(15L, await db.ScalarAsync<long>("SELECT count(*) FROM generations", Token));
        Assert.Equal(5L, await db.ScalarAsync<long>("SELECT count(*) FROM user_streams WHERE oldest_seq = 9", Token));
        await db.AssertConsistentAsync(Token);
        Assert.True((await worker.Retention.RunOnceAsync(Token))!.IsNothing);
    }

    [Fact]
    public async Task The_contents_of_deleted_generations_are_removed_and_one_that_cannot_be_is_removed_by_a_later_pass()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await FillAsync(db, users: 2, each: 6);
        var old = await db.ScalarAsync<string>("SELECT id FROM generations WHERE status = 'completed' ORDER BY id LIMIT 1", Token);
        var recent = await db.ScalarAsync<string>("SELECT id FROM generations WHERE status = 'completed' ORDER BY id DESC LIMIT 1", Token);
        await db.ExecuteAsync($"UPDATE generations SET completed_at = now() - interval '91 days' WHERE id = '{old}'", Token);
        var inRow = await db.Results.SaveAsync(old!, "image/png", new byte[1000], Token);
        var held = await db.Results.SaveAsync(old!, "image/png", new byte[300_000], Token);
        await db.Results.SaveAsync(old!, "image/png", new byte[300_000], Token);
        var kept = await db.Results.SaveAsync(recent!, "image/png", new byte[300_000], Token);
        var path = Path.Combine(db.ResultsFolder, held[..2], held);
        await using var worker = await TestWorker.StartAsync(db, null);

        // A folder in its place cannot be removed as a file.
        File.Delete(path);
        Directory.CreateDirectory(path);
        var first = (await worker.Retention.RunOnceAsync(Token))!;
        Assert.Equal((1, 1), (first.Generations, first.Contents));
        Assert.Null(await db.Results.DescribeAsync(inRow, Token));
        Assert.Null(await db.Results.DescribeAsync(held, Token));
        Assert.Equal(held, await db.ScalarAsync<string>("SELECT id FROM content_removals", Token));
        Assert.True((await worker.Retention.RunOnceAsync(Token))!.IsNothing);

        Directory.Delete(path);
        await File.WriteAllBytesAsync(path, new byte[300_000], Token);
        Assert.Equal(1, (await worker.Retention.RunOnceAsync(Token))!.Contents);

        Assert.Equal([kept], Directory.GetFiles(db.ResultsFolder, "*", SearchOption.AllDirectories).Select(Path.GetFileName));
        Assert.True((await worker.Retention.RunOnceAsync(Token))!.IsNothing);
    }

    [Fact]
    public async Task Finished_deliveries_are_removed_and_pending_ones_stay()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await db.ExecuteAsync(
            """
            INSERT INTO webhooks (id, user_id, url, signing_keys, created_at, updated_at) VALUES ('wh-1', 'u', 'https://example.org/', '', now(), now());
            INSERT INTO webhook_deliveries (id, webhook_id, seq, generation_id, message_id, type, state, attempt, created_at)
            SELECT 'dlv-' || n, CASE WHEN n % 10 = 0 THEN 'wh-gone' ELSE 'wh-1' END, n, 'gen-' || n, 'msg_' || n, 'generation.completed',
                   CASE WHEN n % 5 = 0 THEN 'pending' ELSE 'delivered' END, 1, now() - CASE WHEN n <= 40 THEN interval '31 days' ELSE interval '1 day' END
            FROM generate_series(1, 50) n;
            INSERT INTO telegram_messages (chat_id, generation_id, message_id, status, updated_at)
            SELECT n, 'gen', 1, 'pending', now() - CASE WHEN n <= 7 THEN interval '31 days' ELSE interval '1 day' END FROM generate_series(1, 10) n;
            """,
            Token);
        await using var worker = await TestWorker.StartAsync(db, null, null, ("Retention:BatchSize", "3"));

        var removed = (await worker.Retention.RunOnceAsync(Token))!;

        // Eight of the 40 old ones are pending, half of them of a webhook that no longer exists.
        Assert.Equal(36, removed.Deliveries);
        Assert.Equal(4L, await db.ScalarAsync<long>("SELECT count(*) FROM webhook_deliveries WHERE seq <= 40 AND state = 'pending'", Token));
        Assert.Equal(3L, await db.ScalarAsync<long>("SELECT count(*) FROM telegram_messages", Token));
        Assert.True((await worker.Retention.RunOnceAsync(Token))!.IsNothing);
    }

    [Fact]
    public async Task A_batch_that_takes_too_long_is_halved_until_it_does_not_and_everything_old_is_removed()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await FillAsync(db, users: 20, each: 10);
        await db.ExecuteAsync("UPDATE status_events SET occurred_at = now() - interval '31 days' WHERE seq <= 8", Token);
        await db.ExecuteAsync("UPDATE generations SET completed_at = now() - interval '91 days' WHERE status = 'completed'", Token);

        // A timeout that depends on the number of rows instead of the time.
        await db.ExecuteAsync(
            """
            CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN IF (SELECT count(*) FROM gone) > 7 THEN RAISE EXCEPTION USING ERRCODE = ''57014''; END IF; RETURN NULL; END';
            CREATE TRIGGER slow AFTER DELETE ON generations REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION judge();
            CREATE TRIGGER slow AFTER DELETE ON status_events REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION judge();
            """,
            Token);
        var before = await db.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'completed'", Token);
        await using var worker = await TestWorker.StartAsync(db, null, null, ("Retention:BatchSize", "100"));

        var removed = (await worker.Retention.RunOnceAsync(Token))!;

        Assert.Equal((before, 160), (removed.Generations, removed.Updates));
        Assert.Equal(20L, await db.ScalarAsync<long>("SELECT count(*) FROM user_streams WHERE oldest_seq = 9", Token));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public void A_batch_shrinks_by_halves_to_one_row_and_grows_back_to_the_configured_size()
    {
        var size = new BatchSize(500);
        Assert.True(size.TryShrink());
        Assert.Equal(250, size.Current);
        size.Grow();
        Assert.Equal(281, size.Current);
        while (size.TryShrink())
        {
            // Down to one.
        }

        Assert.Equal(1, size.Current);
        for (var i = 0; i < 100; i++)
        {
            size.Grow();
        }

        Assert.Equal(500, size.Current);
    }

    [Fact]
    public async Task While_another_worker_holds_the_lock_nothing_is_done()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await using var worker = await TestWorker.StartAsync(db, null);
        await using (await RetentionPass.TryBeginAsync(db.Database, Token))
        {
            Assert.Null(await worker.Retention.RunOnceAsync(Token));
        }

        Assert.NotNull(await worker.Retention.RunOnceAsync(Token));
    }

    [Fact]
    public async Task Two_workers_remove_everything_old_once_although_their_connections_are_cut()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await FillAsync(db, users: 20, each: 10);
        await db.ExecuteAsync("UPDATE status_events SET occurred_at = now() - interval '31 days' WHERE seq <= 8", Token);
        await db.ExecuteAsync("UPDATE generations SET completed_at = now() - interval '91 days' WHERE status = 'completed'", Token);
        await using var first = await TestWorker.StartAsync(db, null, null, On);
        await using var second = await TestWorker.StartAsync(db, null, null, On);

        // The worker that holds the lock loses its connection in the middle of a pass, and one of them continues.
        while (await db.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'completed'", Token) > 0
            || await db.ScalarAsync<long>("SELECT count(*) FROM user_streams WHERE oldest_seq < 9", Token) > 0)
        {
            await db.ExecuteAsync(
                """
                SELECT pg_terminate_backend(pid) FROM pg_locks
                WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND random() < 0.05
                """,
                Token);
        }

        Assert.Equal(20L, await db.ScalarAsync<long>("SELECT count(*) FROM user_streams WHERE oldest_seq = 9", Token));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Retention_waits_while_the_database_is_away()
    {
        await using var cluster = await TestCluster.StartAsync();
        await using var db = await cluster.CreateDatabaseAsync(Token);
        await FillAsync(db, users: 1, each: 10);
        await using var worker = await TestWorker.StartAsync(db, null, null, On);

        await cluster.Server.StopAsync(NativeServers.Native.StopMode.Immediate, Token);
        await Assert.ThrowsAnyAsync<Npgsql.NpgsqlException>(() => worker.Retention.RunOnceAsync(Token));
        await cluster.Server.RestartAsync(cancellationToken: Token);
        await StatusUpdates.Data.Database.StatusDatabase.ReadAsync(
            async token =>
            {
                await db.ExecuteAsync("UPDATE status_events SET occurred_at = now() - interval '31 days' WHERE seq <= 8", token);
                return true;
            },
            Token);

        await Eventually.TrueAsync(async () => (await db.Log.ReadBoundsAsync("user-0", Token)).Oldest == 9);
        Assert.False(worker.Retention.ExecuteTask!.IsCompleted);
    }

    [Fact]
    public async Task Retention_is_off_in_Development_and_on_elsewhere_unless_configured_otherwise()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        Assert.False(IsEnabled("Development"));
        Assert.True(IsEnabled("Production"));
        Assert.True(IsEnabled("Development", ("Retention:Enabled", "true")));
        Assert.False(IsEnabled("Production", ("Retention:Enabled", "false")));

        bool IsEnabled(string environment, params (string Key, string Value)[] settings)
        {
            using var host = TestWorker.Build(db, null, null, environment, settings);
            return host.Services.GetRequiredService<IOptions<RetentionOptions>>().Value.Enabled;
        }
    }

    // Each user's generations: two of them completed; with each = 10, five generations with a log of 10.
    private static async Task FillAsync(TestDatabase db, int users, int each)
    {
        for (var user = 0; user < users; user++)
        {
            for (var i = 0; i < each / 2; i++)
            {
                await db.SubmitAsync($"user-{user}", cancellationToken: Token);
            }

            var claim = await db.ClaimAsync(limit: 3, cancellationToken: Token);
            await db.Log.AppendAsync(
                [.. claim.Claimed.Take(2).Select(claimed => new StatusChange
                {
                    GenerationId = claimed.Id, Status = GenerationStatus.Completed, Attempt = claimed.Attempt,
                })],
                Token);
            await db.ExecuteAsync("UPDATE generations SET run_at = 'infinity' WHERE status = 'pending'", Token);
        }
    }
}
