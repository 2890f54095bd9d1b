using Npgsql;
using StatusUpdates.Data.Cursors;

namespace StatusUpdates.Tests.Data;

public sealed class DurableCursorTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Appended_updates_are_delivered_in_order_and_the_position_is_stored()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        var consumer = new RecordingConsumer();
        await scene.AddCursorAsync("test:a", "u");
        await using var runner = await scene.StartAsync(consumer);

        await scene.AppendAsync("u", 20);

        await Eventually.TrueAsync(() => consumer.Recorded("test:a").Count == 20);
        Assert.Equal(Enumerable.Range(1, 20).Select(i => (long)i), consumer.Recorded("test:a"));
        await scene.Database.UntilAsync("SELECT last_seq = 20 AND lease_expires_at IS NULL FROM durable_cursors");
    }

    [Fact]
    public async Task A_cursor_is_woken_by_Redis_and_not_only_by_the_sweep()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        var consumer = new RecordingConsumer();
        await scene.AddCursorAsync("test:a", "u");
        await using var runner = await scene.StartAsync(consumer, new CursorOptions { SweepInterval = TimeSpan.FromMinutes(1) });
        await scene.AppendAsync("u", 1);
        await Eventually.TrueAsync(() => consumer.Recorded("test:a").Count == 1);

        for (var i = 2; i < 50; i++)
        {
            await scene.AppendAsync("u", 1);
            await Eventually.TrueAsync(() => consumer.Recorded("test:a").Count == i);
        }
    }

    [Fact]
    public async Task Updates_that_Redis_does_not_announce_are_found_by_the_sweep()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        var consumer = new RecordingConsumer();
        await scene.AddCursorAsync("test:a", "u");
        await using var runner = await scene.StartAsync(consumer);

        await scene.AppendAsync("u", 3, announce: false);

        await Eventually.TrueAsync(() => consumer.Recorded("test:a").Count == 3);
    }

    [Fact]
    public async Task Several_instances_share_the_cursors_and_deliver_each_update_once()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        var consumer = new RecordingConsumer();
        for (var i = 0; i < 20; i++)
        {
            await scene.AddCursorAsync($"test:{i}", $"u{i % 10}");
        }

        await using var first = await scene.StartAsync(consumer);
        await using var second = await scene.StartAsync(consumer);
        await using var third = await scene.StartAsync(consumer);
        await Task.WhenAll(Enumerable.Range(0, 10).Select(async i =>
        {
            for (var n = 0; n < 10; n++)
            {
                await scene.AppendAsync($"u{i}", 3);
            }
        }));

        for (var i = 0; i < 20; i++)
        {
            await Eventually.TrueAsync(() => consumer.Recorded($"test:{i}").Count >= 30);
            Assert.Equal(Enumerable.Range(1, 30).Select(n => (long)n), consumer.Recorded($"test:{i}"));
        }

        Assert.False(consumer.WasRunConcurrently);
    }

    [Fact]
    public async Task A_holder_that_lost_its_cursor_stores_nothing_and_is_notified_of_the_loss()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        await scene.AddCursorAsync("test:a", "u");
        await scene.AppendAsync("u", 2, announce: false);
        var refused = new TaskCompletionSource<bool>();
        var consumer = new RecordingConsumer
        {
            Run = async (cursor, _) =>
            {
                // As if the process had been frozen for longer than its lease, for example by a pause of the whole machine.
                await scene.Database.ExecuteAsync("UPDATE durable_cursors SET epoch = epoch + 1, last_seq = 2", Token);
                refused.SetResult(await Record.ExceptionAsync(() => cursor.SaveAsync(new CursorSave(new(1)))) is CursorLostException
                    && cursor.Lost.IsCancellationRequested);
                throw new CursorLostException(cursor.Owner);
            },
        };
        await using var runner = await scene.StartAsync(consumer);

        Assert.True(await refused.Task.WaitAsync(Token));
        Assert.Equal(2L, await scene.Database.ScalarAsync<long>("SELECT last_seq FROM durable_cursors", Token));
    }

    [Fact]
    public async Task The_heartbeat_keeps_running_cursors_and_reports_lost_ones()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        await scene.AddCursorAsync("test:a", "u");
        await scene.AppendAsync("u", 1, announce: false);
        var running = new TaskCompletionSource();
        var lost = new TaskCompletionSource();
        var consumer = new RecordingConsumer
        {
            Run = async (cursor, _) =>
            {
                running.TrySetResult();
                await Task.Delay(Timeout.Infinite, cursor.Lost).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                lost.TrySetResult();
                cursor.Lost.ThrowIfCancellationRequested();
            },
        };
        await using var runner = await scene.StartAsync(consumer, new CursorOptions { Lease = TimeSpan.FromSeconds(6), SweepInterval = TimeSpan.FromMilliseconds(50) });
        await running.Task.WaitAsync(Token);

        // Twice the length of a lease, through several heartbeats, one of which may be late by two thirds of a lease.
        await scene.Database.UntilAsync("SELECT lease_expires_at > claimed_at + interval '12 seconds' FROM durable_cursors");
        Assert.Equal(1L, await scene.Database.ScalarAsync<long>("SELECT epoch FROM durable_cursors", Token));

        await scene.Database.ExecuteAsync($"{CursorSql.Pause.Replace("$1", "'test:a'", StringComparison.Ordinal)}", Token);

        await lost.Task.WaitAsync(Token);
    }

    [Fact]
    public async Task A_nudge_during_a_run_is_handled_after_the_release()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        await scene.AddCursorAsync("test:a", "u");
        await scene.AppendAsync("u", 1, announce: false);
        var runs = 0;
        var consumer = new RecordingConsumer
        {
            Run = async (cursor, _) =>
            {
                if (Interlocked.Increment(ref runs) == 1)
                {
                    await scene.Database.ExecuteAsync(CursorSql.Nudge.Replace("$1", "'test:a'", StringComparison.Ordinal), Token);
                }

                // This run does not see the nudge and saves that nothing is due for an hour.
                await cursor.SaveAsync(new CursorSave(new(1)) { NotBefore = TimeSpan.FromHours(1), Release = true });
            },
        };
        await using var runner = await scene.StartAsync(consumer);

        await Eventually.TrueAsync(() => Volatile.Read(ref runs) == 2);
        await scene.Database.UntilAsync("SELECT due_at IS NULL AND not_before > now() FROM durable_cursors");
    }

    [Fact]
    public async Task A_run_that_throws_is_repeated_and_does_not_delay_other_cursors()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        await scene.AddCursorAsync("test:bad", "u");
        await scene.AddCursorAsync("test:good", "u");
        var consumer = new RecordingConsumer();
        var failures = 0;
        consumer.Run = (cursor, stopping) => cursor.Owner == "test:bad" && Interlocked.Increment(ref failures) == 1
            ? throw new InvalidOperationException("on purpose")
            : consumer.RecordAllAsync(cursor, stopping);
        await using var runner = await scene.StartAsync(consumer);

        await scene.AppendAsync("u", 1);
        await Eventually.TrueAsync(() => consumer.Recorded("test:good").Count == 1);
        await scene.Database.UntilAsync("SELECT not_before IS NOT NULL AND lease_expires_at IS NULL FROM durable_cursors WHERE owner = 'test:bad'");
        await scene.Database.ExecuteAsync("UPDATE durable_cursors SET not_before = NULL", Token);

        await Eventually.TrueAsync(() => consumer.Recorded("test:bad").Count == 1);
    }

    [Fact]
    public async Task Troubled_cursors_take_no_slots_from_healthy_ones()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        for (var i = 0; i < 10; i++)
        {
            await scene.AddCursorAsync($"test:bad{i}", "bad");
        }

        await scene.AddCursorAsync("test:good", "good");
        await scene.Database.ExecuteAsync("UPDATE durable_cursors SET troubled = true WHERE user_id = 'bad'", Token);
        var consumer = new RecordingConsumer();
        var stuck = 0;
        consumer.Run = async (cursor, stopping) =>
        {
            if (cursor.UserId == "bad")
            {
                Interlocked.Increment(ref stuck);
                await Task.Delay(Timeout.Infinite, stopping);
            }

            await consumer.RecordAllAsync(cursor, stopping);
        };
        await using var runner = await scene.StartAsync(
            consumer, new CursorOptions { Slots = 1, TroubledSlots = 3, SweepInterval = TimeSpan.FromMilliseconds(50) });
        await scene.AppendAsync("bad", 1);
        await Eventually.TrueAsync(() => Volatile.Read(ref stuck) == 3);

        await scene.AppendAsync("good", 5);

        await Eventually.TrueAsync(() => consumer.Recorded("test:good").Count == 5);
        Assert.Equal(3, stuck);
    }

    [Fact]
    public async Task A_position_outside_the_log_is_reported_and_the_cursor_continues_from_the_head()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        await scene.AddCursorAsync("test:behind", "u");
        await scene.AppendAsync("u", 5, announce: false);
        await scene.Database.ExecuteAsync(
            "DELETE FROM status_events WHERE seq <= 3; UPDATE user_streams SET oldest_seq = 4", Token);
        await scene.AddCursorAsync("test:ahead", "u");
        await scene.Database.ExecuteAsync("UPDATE durable_cursors SET last_seq = 9 WHERE owner = 'test:ahead'", Token);
        var consumer = new RecordingConsumer();
        await using var runner = await scene.StartAsync(consumer);

        await Eventually.TrueAsync(() => consumer.Resyncs.Count == 2);
        await scene.AppendAsync("u", 1);
        await Eventually.TrueAsync(() => consumer.Recorded("test:behind").Count == 1 && consumer.Recorded("test:ahead").Count == 1);
        Assert.Equal([6L], consumer.Recorded("test:behind"));
        Assert.Equal([6L], consumer.Recorded("test:ahead"));
    }

    [Fact]
    public async Task If_another_update_has_the_cursors_seq_its_owner_is_notified_even_at_the_head()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        await scene.AddCursorAsync("test:a", "u");
        var consumer = new RecordingConsumer();
        await using var runner = await scene.StartAsync(consumer);
        await scene.AppendAsync("u", 3);
        await scene.Database.UntilAsync("SELECT last_seq = 3 AND last_check IS NOT NULL AND lease_expires_at IS NULL FROM durable_cursors");

        // The state after a failover to a lagging replica: another update has the same seq.
        await scene.Database.ExecuteAsync(
            """
            UPDATE status_events SET update_id = gen_random_uuid() WHERE seq = 3;
            UPDATE user_streams s SET last_check = log_check(e.update_id) FROM status_events e WHERE e.user_id = s.user_id AND e.seq = 3
            """,
            Token);

        await Eventually.TrueAsync(() => consumer.Resyncs.Count == 1);
        await scene.AppendAsync("u", 1);
        await Eventually.TrueAsync(() => consumer.Recorded("test:a").Count == 4);
        Assert.Equal([1L, 2, 3, 4], consumer.Recorded("test:a"));
        Assert.Single(consumer.Resyncs);
    }

    [Fact]
    public async Task A_cursor_that_was_not_released_is_claimed_again_even_if_it_is_at_the_head()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        await scene.AddCursorAsync("test:a", "u");
        await scene.AppendAsync("u", 2, announce: false);
        var store = new CursorStore(scene.Database.Database);
        var request = new CursorClaim("test", 10, 10, TimeSpan.FromSeconds(30), []);
        var held = Assert.Single(await store.ClaimOfUsersAsync(request, ["u"], Token));

        // The cursor is at the head with work besides the log still to be done; then its holder dies.
        await store.SaveAsync(held, new CursorSave(new(2)) { State = "{}", NotBefore = TimeSpan.FromHours(1) }, null, Token);
        Assert.Empty((await store.ClaimNextAsync(request, "", 10, Token)).Claimed);
        await scene.Database.ExecuteAsync("UPDATE durable_cursors SET lease_expires_at = now() - interval '1 second'", Token);

        var next = Assert.Single((await store.ClaimNextAsync(request, "", 10, Token)).Claimed);
        await store.SaveAsync(next, new CursorSave(new(2)) { Release = true }, null, Token);
        Assert.Empty((await store.ClaimNextAsync(request, "", 10, Token)).Claimed);
    }

    [Fact]
    public async Task A_cursor_whose_lease_expired_while_the_database_was_away_is_free_to_others_but_not_to_its_holder()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        await scene.AddCursorAsync("test:a", "u");
        await scene.AppendAsync("u", 1, announce: false);
        var store = new CursorStore(scene.Database.Database);
        var request = new CursorClaim("test", 10, 10, TimeSpan.FromSeconds(30), []);
        var held = Assert.Single(await store.ClaimOfUsersAsync(request, ["u"], Token));
        await scene.Database.ExecuteAsync("UPDATE durable_cursors SET lease_expires_at = now() - interval '1 second'", Token);

        var holder = request with { HeldHere = [held] };
        Assert.Empty(await store.ClaimOfUsersAsync(holder, ["u"], Token));
        Assert.Empty((await store.ClaimNextAsync(holder, "", 10, Token)).Claimed);
        await store.SaveAsync(held, new CursorSave(new(0)), null, Token);

        // Held with an earlier epoch: this process has lost that run, so it may claim the cursor again.
        var former = request with { HeldHere = [held with { Epoch = held.Epoch - 1 }] };
        Assert.Equal(held.Epoch + 1, Assert.Single(await store.ClaimOfUsersAsync(former, ["u"], Token)).Epoch);
    }

    [Fact]
    public async Task A_sweep_visits_all_cursors_window_by_window_and_then_starts_over()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        foreach (var owner in (string[])["test:a", "test:b", "test:c", "test:d", "tester:x", "tess:x", "a:x", "z:x"])
        {
            await scene.AddCursorAsync(owner, owner == "test:b" ? "idle" : "u");
        }

        // Cursors of other services are never claimed, wherever they sort.
        await scene.Database.ExecuteAsync("UPDATE durable_cursors SET kind = split_part(owner, ':', 1)", Token);

        await scene.AppendAsync("u", 1, announce: false);
        var store = new CursorStore(scene.Database.Database);
        var request = new CursorClaim("test", 10, 10, TimeSpan.FromSeconds(30), []);

        var first = await store.ClaimNextAsync(request, "", 2, Token);
        var second = await store.ClaimNextAsync(request, first.Last!, 2, Token);
        var third = await store.ClaimNextAsync(request, second.Last!, 2, Token);

        Assert.Equal(["test:a"], first.Claimed.Select(c => c.Owner));
        Assert.Equal("test:b", first.Last);
        Assert.Equal(["test:c", "test:d"], second.Claimed.Select(c => c.Owner).Order());
        Assert.Equal("test:d", second.Last);
        Assert.Empty(third.Claimed);
        Assert.Null(third.Last);
    }

    [Fact]
    public async Task The_effect_is_stored_with_the_position_or_not_at_all()
    {
        await using var scene = await CursorScene.CreateAsync(servers);
        await scene.AddCursorAsync("test:a", "u");
        await scene.Database.ExecuteAsync("CREATE TABLE kept (seq bigint)", Token);
        var store = new CursorStore(scene.Database.Database);
        await scene.AppendAsync("u", 2, announce: false);
        var cursor = Assert.Single(await store.ClaimOfUsersAsync(new CursorClaim("test", 1, 1, TimeSpan.FromSeconds(30), []), ["u"], Token));
        CursorEffect Keep(long seq) => new(
            ", kept AS (INSERT INTO kept SELECT $11 FROM held)",
            parameters => parameters.Add(new NpgsqlParameter<long> { TypedValue = seq }));

        await store.SaveAsync(cursor, new CursorSave(new(1)), Keep(1), Token);
        await Assert.ThrowsAsync<CursorLostException>(
            () => store.SaveAsync(cursor with { Epoch = cursor.Epoch - 1 }, new CursorSave(new(2)), Keep(2), Token));

        Assert.Equal("1/1", await scene.Database.ScalarAsync<string>(
            "SELECT last_seq || '/' || (SELECT string_agg(seq::text, ',') FROM kept) FROM durable_cursors", Token));
    }
}
