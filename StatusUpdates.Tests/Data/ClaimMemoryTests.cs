using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using static StatusUpdates.Tests.Data.QueueFiller;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Data;

/// <summary>
/// Claims that use what the process remembers of the queue. Its clock is stopped, so it never explores again: it finds generations only by
/// its memory, by what was added to the database since, and by messages.
/// </summary>
public abstract class ClaimMemoryTests(TestServers servers, PostgresAge age)
{
    private static readonly int Steps = int.Parse(Environment.GetEnvironmentVariable("CLAIM_MEMORY_STEPS") ?? "150", CultureInfo.InvariantCulture);

    // More than the fraction of a millisecond that a retry's time loses by rounding down.
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(5);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task No_due_generation_is_overlooked_whatever_several_processes_claim_complete_and_return()
    {
        var seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await using var world = await StoppedClockProcesses.StartAsync(db, processes: 3);
        var running = new List<ClaimedGeneration>();
        for (var step = 0; step < Steps; step++)
        {
            switch (random.Next(10))
            {
                case < 4:
                    await db.FillAsync($"u{random.Next(12)}", random.Next(1, 4), GenerationTypes.Default.TaskNames[random.Next(4)]);
                    break;
                case < 7:
                    var request = Request(random.Next(0, 6), $"w{random.Next(3)}") with
                    {
                        Sweep = random.Next(2) == 0,
                        UserLimit = random.Next(2) == 0 ? 2 : int.MaxValue,
                        Held = Held(running),
                    };
                    running.AddRange((await world.Queues[random.Next(3)].ClaimAsync(request, Token)).Claimed);
                    break;
                case 7 when running.Count > 0:
                    var job = running[random.Next(running.Count)];
                    running.Remove(job);
                    await db.Log.AppendAsync(Change(job, random.Next(2) == 0 ? GenerationStatus.Completed : GenerationStatus.Pending), Token);
                    break;
                default:
                    await db.CreateCommands().CancelAsync("u1", await AnyPendingAsync(db, "u1") ?? "gen-none", cancellationToken: Token);
                    break;
            }
        }

        var one = world.Queues[random.Next(3)];
        for (var idle = 0; idle < 2;)
        {
            var claim = await one.ClaimAsync(Request(5, "last"), Token);
            idle = claim.Updates.Count > 0 || claim.MayHaveMore ? 0 : idle + 1;
        }

        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT count(*) FROM generations WHERE status = 'pending'", Token));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_user_at_the_limit_is_remembered_and_served_as_soon_as_a_slot_is_free()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await using var world = await StoppedClockProcesses.StartAsync(db, processes: 1);
        var queue = world.Queues[0];
        await db.FillAsync("heavy", 5);
        var request = Request(4) with { UserLimit = 2 };
        var running = (await queue.ClaimAsync(request, Token)).Claimed;
        Assert.Equal(2, running.Count);

        await db.FillAsync("light", 1);
        var other = await queue.ClaimAsync(request with { Held = Held(running) }, Token);
        var none = await queue.ClaimAsync(request with { Held = Held([.. running, .. other.Claimed]) }, Token);
        var next = await queue.ClaimAsync(request with { Sweep = false, Held = Held(running.Take(1)) }, Token);

        Assert.Equal("light", Assert.Single(other.Claimed).UserId);
        Assert.Empty(none.Claimed);
        Assert.Equal("heavy", Assert.Single(next.Claimed).UserId);
    }

    [Fact]
    public async Task An_announced_generation_is_found_without_a_scan_for_new_users_and_a_retry_when_it_is_due()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await using var world = await StoppedClockProcesses.StartAsync(db, processes: 1);
        var queue = world.Queues[0];
        var request = Request(4) with { Sweep = false };
        var submitted = await db.SubmitAsync("u", cancellationToken: Token);
        Assert.Empty((await queue.ClaimAsync(request, Token)).Claimed);

        queue.Hint(submitted.Update!, GenerationTypes.Default.TaskNames);
        var job = Assert.Single((await queue.ClaimAsync(request, Token)).Claimed);
        var back = await db.Log.AppendAsync(Change(job, GenerationStatus.Pending) with { RunAfter = TimeSpan.FromMilliseconds(300) }, Token);
        queue.Hint(back.Update!, GenerationTypes.Default.TaskNames);

        Assert.Empty((await queue.ClaimAsync(request, Token)).Claimed);
        await db.UntilAsync($"SELECT count(*) = 1 FROM generations WHERE id = '{job.Id}' AND run_at <= now()");
        Assert.Empty((await queue.ClaimAsync(request with { Limit = 0 }, Token)).Claimed);
        Assert.Equal(job.Id, Assert.Single((await queue.ClaimAsync(request, Token)).Claimed).Id);
    }

    [Fact]
    public async Task An_expired_lease_is_found_even_if_it_was_first_seen_long_ago()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await using var world = await StoppedClockProcesses.StartAsync(db, processes: 2);
        await db.FillAsync("u", 1);
        var claimed = Assert.Single((await world.Queues[0].ClaimAsync(Request(1, "dead") with { Lease = TimeSpan.FromSeconds(1) }, Token)).Claimed);
        Assert.Empty((await world.Queues[1].ClaimAsync(Request(1), Token)).Claimed);
        await world.Queues[0].ExtendLeasesAsync("dead", [], TimeSpan.FromSeconds(2), Token);
        Assert.Empty((await world.Queues[1].ClaimAsync(Request(1), Token)).Claimed);

        await db.UntilAsync("SELECT count(*) = 1 FROM generations WHERE lease_expires_at < now()");

        // The first claim only reads the current time of the database.
        ClaimResult next;
        while ((next = await world.Queues[1].ClaimAsync(Request(1), Token)).Claimed.Count == 0)
        {
            await Task.Delay(10, Token);
        }

        Assert.Equal((claimed.Id, 2), (Assert.Single(next.Claimed).Id, next.Claimed[0].Attempt));
    }

    [Fact]
    public async Task A_lease_whose_claim_got_no_answer_is_found_by_the_heartbeat()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await using var world = await StoppedClockProcesses.StartAsync(db, processes: 2);
        await db.FillAsync("u", 3);
        var first = Assert.Single((await world.Queues[0].ClaimAsync(Request(1), Token)).Claimed);
        Assert.Single(await world.Queues[0].ExtendLeasesAsync("w", [], TimeSpan.FromMinutes(5), Token));

        // Claimed for the same worker through another process, as if the answer had been lost.
        var second = Assert.Single((await world.Queues[1].ClaimAsync(Request(1), Token)).Claimed);
        var held = await world.Queues[0].ExtendLeasesAsync("w", [], TimeSpan.FromMinutes(5), Token);

        Assert.Equal(new[] { first.Id, second.Id }.Order(), held.Select(lease => lease.GenerationId).Order());
    }

    private static StatusChange Change(ClaimedGeneration job, GenerationStatus status) => new()
    {
        GenerationId = job.Id,
        Status = status,
        Attempt = job.Attempt,
        ResultUrls = status == GenerationStatus.Completed ? ["https://example.org/result"] : null,
    };

    private static Task<string?> AnyPendingAsync(TestDatabase db, string user) =>
        db.ScalarAsync<string>($"SELECT id FROM generations WHERE user_id = '{user}' AND status = 'pending' LIMIT 1", Token);

    /// <summary>Processes that have explored an empty queue and do not explore again, because their clock is stopped.</summary>
    private sealed class StoppedClockProcesses : IAsyncDisposable
    {
        private readonly List<StatusDatabase> _databases = [];

        public List<GenerationQueue> Queues { get; } = [];

        public static async Task<StoppedClockProcesses> StartAsync(TestDatabase db, int processes)
        {
            var world = new StoppedClockProcesses();
            for (var i = 0; i < processes; i++)
            {
                world._databases.Add(new StatusDatabase(db.ConnectionString, time: new FakeTimeProvider()));
                world.Queues.Add(new GenerationQueue(world._databases[i], Slack));
                await world.Queues[i].ClaimAsync(Request(1, "first"), Token);
            }

            return world;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var database in _databases)
            {
                await database.DisposeAsync();
            }
        }
    }
}

public sealed class ClaimMemoryOnOldestPostgresTests(TestServers servers) : ClaimMemoryTests(servers, PostgresAge.Oldest);

[Long]
public sealed class ClaimMemoryOnNewestPostgresTests(TestServers servers) : ClaimMemoryTests(servers, PostgresAge.Newest);
