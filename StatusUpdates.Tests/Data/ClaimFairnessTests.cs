using static StatusUpdates.Tests.Data.QueueFiller;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;

namespace StatusUpdates.Tests.Data;

public abstract class ClaimFairnessTests(TestServers servers, PostgresAge age)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Ten_thousand_generations_of_one_user_do_not_keep_others_from_the_next_claims()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.FillAsync("m-heavy", 10_000, runAt: "now() - interval '1 hour'");
        var others = Enumerable.Range(0, 20).Select(i => $"{(i % 2 == 0 ? "a" : "z")}-{i}").ToList();
        foreach (var user in others)
        {
            await db.FillAsync(user, 1);
        }

        // 21 users and 8 slots per claim: three claims serve every user.
        var started = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            started.AddRange((await db.Queue.ClaimAsync(Request(8), Token)).Claimed.Select(j => j.UserId));
        }

        Assert.Equal(others.Order(StringComparer.Ordinal), started.Where(u => u != "m-heavy").Order(StringComparer.Ordinal));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Single_slots_go_to_users_and_tasks_in_round_robin_order()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        foreach (var (user, task) in (IEnumerable<(string, string)>)
            [("a", "sora"), ("b", "sora"), ("c", "sora"), ("a", "product_card"), ("b", "product_card")])
        {
            await db.FillAsync(user, 50, task);
        }

        var claims = new List<(string, string)>();
        for (var i = 0; i < 48; i++)
        {
            var job = Assert.Single((await db.Queue.ClaimAsync(Request(1), Token)).Claimed);
            claims.Add((job.Task, job.UserId));
        }

        // The four tasks are first in round-robin order; if one has nothing, the next one that has something is served.
        var counts = claims.CountBy(c => c).ToDictionary();
        Assert.Equal(5, counts.Count);
        Assert.All(counts, n => Assert.InRange(n.Value, 4, 20));
        Assert.All(
            claims.GroupBy(c => c.Item1),
            ofTask => Assert.All(ofTask.Zip(ofTask.Skip(1)), pair => Assert.NotEqual(pair.First, pair.Second)));
    }

    [Fact]
    public async Task Users_whose_generations_are_not_due_yet_do_not_hide_one_with_a_due_generation()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.ExecuteAsync(
            """
            INSERT INTO user_streams SELECT 'late-' || i, 1, 1, 0 FROM generate_series(1, 2500) i;
            INSERT INTO generations (id, user_id, type, task, status, seq, first_seq, prompt, created_at, updated_at, run_at, attempt, failures, last_update_id)
            SELECT 'gen-' || gen_random_uuid(), 'late-' || i, 'sora', 'sora', 'pending', 1, 1, 'p', now(), now(), now() + interval '1 hour', 1, 1, gen_random_uuid()
            FROM generate_series(1, 2500) i;
            """,
            Token);
        await db.FillAsync("late-1999-due", 1);

        var claims = 1;
        ClaimResult claim;
        while ((claim = await db.Queue.ClaimAsync(Request(4), Token)).Claimed.Count == 0)
        {
            Assert.True(claim.MayHaveMore, "A claim that has not visited all users must report that there may be more.");
            Assert.True(++claims <= 3, "Three claims must be enough to visit 2,501 users.");
        }

        Assert.Equal("late-1999-due", Assert.Single(claim.Claimed).UserId);
    }

    [Fact]
    public async Task A_claim_respects_the_limit_of_each_task_and_its_own_total_limit()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.FillAsync("a", 20, "sora");
        await db.FillAsync("b", 20, "product_card");
        var request = Request(10) with
        {
            TaskLimits = new Dictionary<string, TaskLimit>
            {
                ["sora"] = new(2, int.MaxValue),
                ["chat_processing"] = new(0, int.MaxValue),
            },
        };
        await db.FillAsync("c", 5, "chat_processing");

        var first = await db.Queue.ClaimAsync(request, Token);
        var second = await db.Queue.ClaimAsync(
            request with { Limit = 10 - first.Claimed.Count, TaskLimits = new Dictionary<string, TaskLimit>(request.TaskLimits) { ["sora"] = new(0, 2) } }, Token);

        var jobs = first.Claimed.Concat(second.Claimed).CountBy(j => j.Task).ToDictionary();
        Assert.True(first.MayHaveMore);
        Assert.Equal(new() { ["sora"] = 2, ["product_card"] = 8 }, jobs);
        Assert.Empty((await db.Queue.ClaimAsync(request with { Limit = 0 }, Token)).Updates);
    }

    [Fact]
    public async Task One_user_holds_no_more_than_their_share_of_all_slots_and_of_each_tasks_slots()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.FillAsync("heavy", 100, "sora");
        await db.FillAsync("heavy", 100, "product_card");
        var running = new List<ClaimedGeneration>();
        ClaimRequest Next() => Request(16 - running.Count) with
        {
            UserLimit = 12,
            TaskLimits = new Dictionary<string, TaskLimit> { ["sora"] = new(4 - running.Count(j => j.Task == "sora"), 3) },
            Held = Held(running),
        };

        while (await db.Queue.ClaimAsync(Next(), Token) is { Claimed.Count: > 0 } claim)
        {
            running.AddRange(claim.Claimed);
        }

        Assert.Equal(new() { ["sora"] = 3, ["product_card"] = 9 }, running.CountBy(j => j.Task).ToDictionary());
        await db.FillAsync("light", 1, "sora");
        await db.FillAsync("light", 1, "product_card");
        var others = (await db.Queue.ClaimAsync(Next(), Token)).Claimed;
        Assert.Equal(["light", "light"], others.Select(j => j.UserId));
    }

    [Fact]
    public async Task Many_simultaneous_claimers_take_every_generation_once_within_their_limits()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.FillAsync("heavy", 400, "sora");
        for (var i = 0; i < 60; i++)
        {
            await db.FillAsync($"u{i:00}", 1 + (i % 7), GenerationTypes.Default.TaskNames[i % 4]);
        }

        var all = await db.ScalarAsync<long>("SELECT count(*) FROM generations", Token);
        var claimed = await Task.WhenAll(Enumerable.Range(0, 12).Select(async n =>
        {
            // Each has its own queue, with its own round-robin position, like a separate process.
            var queue = new GenerationQueue(db.Database);
            var mine = new List<string>();
            for (ClaimResult claim; (claim = await queue.ClaimAsync(Request(1 + (n * 3 % 17), $"w{n}"), Token)).Claimed.Count > 0 || claim.MayHaveMore;)
            {
                Assert.InRange(claim.Claimed.Count, 0, 1 + (n * 3 % 17));
                mine.AddRange(claim.Claimed.Select(j => j.Id));
            }

            return mine;
        }));

        // A claimer that found only rows locked by others has stopped early; further claims must find the rest.
        var ids = claimed.SelectMany(c => c).ToList();
        while (await db.ClaimAsync(100, cancellationToken: Token) is { Claimed.Count: > 0 } rest)
        {
            ids.AddRange(rest.Claimed.Select(j => j.Id));
        }

        Assert.Equal(all, ids.Distinct().Count());
        Assert.Equal(all, ids.Count);
        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT count(*) FROM generations WHERE attempt <> 1", Token));
        await db.AssertConsistentAsync(Token);
    }
}

public sealed class ClaimFairnessOnOldestPostgresTests(TestServers servers) : ClaimFairnessTests(servers, PostgresAge.Oldest);

[Long]
public sealed class ClaimFairnessOnNewestPostgresTests(TestServers servers) : ClaimFairnessTests(servers, PostgresAge.Newest);
