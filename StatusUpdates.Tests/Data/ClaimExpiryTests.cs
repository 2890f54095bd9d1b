using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using static StatusUpdates.Tests.Data.QueueFiller;

namespace StatusUpdates.Tests.Data;

public abstract class ClaimExpiryTests(TestServers servers, PostgresAge age)
{
    private static readonly TaskLimit Full = new(0, int.MaxValue);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task With_no_free_slot_expired_leases_that_cannot_be_retried_end_and_the_others_wait()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.FillAsync("u", 4);
        var claimed = (await db.Queue.ClaimAsync(Request(4, "dead"), Token)).Claimed;
        await db.CreateCommands().CancelAsync("u", claimed[0].Id, cancellationToken: Token);
        await db.ExecuteAsync($"UPDATE generations SET failures = 2 WHERE id = '{claimed[1].Id}'", Token);
        await db.ExecuteAsync($"UPDATE generations SET deadline = now() - interval '1 second' WHERE id = '{claimed[2].Id}'", Token);
        await db.ExpireLeasesAsync();

        var full = await db.Queue.ClaimAsync(Request(0), Token);

        Assert.Empty(full.Claimed);
        Assert.True(full.IsSwept);
        Assert.Equal(
            new Dictionary<string, GenerationStatus>
            {
                [claimed[0].Id] = GenerationStatus.Canceled,
                [claimed[1].Id] = GenerationStatus.Failed,
                [claimed[2].Id] = GenerationStatus.Failed,
            },
            full.Updates.ToDictionary(u => u.GenerationId, u => u.Status));
        Assert.Equal(QueueMessages.DeadlinePassed, full.Updates.Single(u => u.GenerationId == claimed[2].Id).Metadata!.ErrorMessage);
        var next = Assert.Single((await db.Queue.ClaimAsync(Request(1), Token)).Updates);
        Assert.Equal((claimed[3].Id, 2), (next.GenerationId, next.Metadata!.Attempt));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Expired_leases_of_tasks_that_a_worker_does_not_run_end_too_if_they_cannot_be_retried()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.FillAsync("u", 3, "product_card");
        var claimed = (await db.Queue.ClaimAsync(Request(3, "dead"), Token)).Claimed;
        await db.CreateCommands().CancelAsync("u", claimed[0].Id, cancellationToken: Token);
        await db.ExecuteAsync($"UPDATE generations SET deadline = now() - interval '1 second' WHERE id = '{claimed[1].Id}'", Token);
        await db.ExpireLeasesAsync();

        var withoutProviders = await db.Queue.ClaimAsync(Request(10) with { Tasks = [] }, Token);
        var ofAnotherTask = await db.Queue.ClaimAsync(Request(10) with { Tasks = ["sora"] }, Token);

        Assert.Equal(
            new Dictionary<string, GenerationStatus> { [claimed[0].Id] = GenerationStatus.Canceled, [claimed[1].Id] = GenerationStatus.Failed },
            withoutProviders.Updates.ToDictionary(u => u.GenerationId, u => u.Status));
        Assert.Empty(withoutProviders.Claimed);
        Assert.Empty(ofAnotherTask.Updates);
        var next = Assert.Single((await db.Queue.ClaimAsync(Request(1), Token)).Claimed);
        Assert.Equal((claimed[2].Id, 2), (next.Id, next.Attempt));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Expired_leases_respect_the_limits_of_tasks_and_users_and_do_not_hide_each_other()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.FillAsync("a", 30, "product_card");
        await db.FillAsync("b", 30, "sora");
        await db.FillAsync("c", 3, "chat_processing");
        await db.ClaimAsync(60, "dead", cancellationToken: Token);
        await db.ClaimAsync(60, "dead", cancellationToken: Token);
        await db.ExpireLeasesAsync();

        var claim = await db.Queue.ClaimAsync(
            Request(8) with { UserLimit = 5, TaskLimits = new Dictionary<string, TaskLimit> { ["product_card"] = Full }, Held = [new("b", "sora", 3)] },
            Token);

        Assert.All(claim.Claimed, j => Assert.Equal(2, j.Attempt));
        var counts = claim.Claimed.CountBy(j => j.UserId).ToDictionary();
        Assert.DoesNotContain("a", counts.Keys);
        Assert.InRange(counts["b"], 1, 2);
        Assert.InRange(counts.Values.Sum(), 2, 5);
    }

    [Fact]
    public async Task One_claim_takes_both_due_generations_and_expired_leases()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.FillAsync("u", 2);
        await db.ClaimAsync(2, "dead", cancellationToken: Token);
        await db.ExpireLeasesAsync();
        await db.FillAsync("v", 10);

        var claim = await db.Queue.ClaimAsync(Request(6), Token);

        Assert.Equal([("u", 2, 2), ("v", 1, 4)], claim.Claimed.GroupBy(j => (j.UserId, j.Attempt)).Select(g => (g.Key.UserId, g.Key.Attempt, g.Count())).Order());
    }

    [Fact]
    public async Task A_claim_without_a_sweep_leaves_expired_leases_alone_and_starts_nothing_past_its_deadline()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.FillAsync("u", 1);
        await db.ClaimAsync(cancellationToken: Token);
        await db.ExpireLeasesAsync();
        await db.FillAsync("u", 1, deadline: "now() - interval '1 second'");

        var claim = await db.Queue.ClaimAsync(Request(5) with { Sweep = false }, Token);

        Assert.Equal(GenerationStatus.Failed, Assert.Single(claim.Updates).Status);
        Assert.False(claim.IsSwept);
        Assert.Equal(2, Assert.Single((await db.Queue.ClaimAsync(Request(5), Token)).Claimed).Attempt);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_pending_generation_past_its_deadline_fails_whatever_its_task_and_without_a_free_slot()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.FillAsync("u", 40, "sora", deadline: "now() - interval '1 second'");
        await db.FillAsync("u", 1, "sora", runAt: "now() + interval '1 hour'", deadline: "now() - interval '2 seconds'");
        await db.FillAsync("u", 1, "product_card", deadline: "now() + interval '1 hour'");
        var request = Request(0) with { Tasks = ["product_card"] };

        var first = await db.Queue.ClaimAsync(request, Token);
        var second = await db.Queue.ClaimAsync(request, Token);
        var third = await db.Queue.ClaimAsync(request with { Limit = 5 }, Token);

        Assert.False(first.IsSwept);
        Assert.True(second.IsSwept);
        Assert.Equal(41, first.Updates.Count + second.Updates.Count);
        Assert.All(first.Updates.Concat(second.Updates), u => Assert.Equal((GenerationStatus.Failed, QueueMessages.DeadlinePassed), (u.Status, u.Metadata!.ErrorMessage)));
        var left = Assert.Single(third.Claimed).TimeLeft!.Value;
        Assert.InRange(left, TimeSpan.FromMinutes(58), TimeSpan.FromHours(1));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_generation_that_returns_to_the_queue_past_its_deadline_still_fails()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.FillAsync("u", 1, deadline: "now() + interval '1 hour'");
        var job = Assert.Single((await db.ClaimAsync(cancellationToken: Token)).Claimed);
        await db.ExecuteAsync("UPDATE generations SET deadline = now() - interval '1 second'", Token);
        await db.Log.AppendAsync(
            new StatusChange { GenerationId = job.Id, Status = GenerationStatus.Pending, Attempt = 1, RunAfter = TimeSpan.FromHours(1) }, Token);

        var update = Assert.Single((await db.Queue.ClaimAsync(Request(0), Token)).Updates);

        Assert.Equal((GenerationStatus.Failed, 1), (update.Status, update.Metadata!.Attempt));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_submission_past_its_deadline_is_refused_but_a_repeat_of_an_earlier_one_is_not()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var commands = db.CreateCommands();
        var submission = new Submission
        {
            UserId = "u",
            Type = "sora",
            Task = "sora",
            Prompt = "p",
            IdempotencyKey = "k",
            RequestHash = [1],
            Deadline = DateTimeOffset.UtcNow.AddHours(1),
        };
        var first = await commands.SubmitAsync(submission, Token);
        await db.ExecuteAsync("UPDATE generations SET deadline = now() - interval '1 second'", Token);
        var late = submission with { GenerationId = "gen-late", Deadline = DateTimeOffset.UtcNow.AddMinutes(-1) };

        var repeat = await commands.SubmitAsync(late, Token);

        Assert.Equal((SubmitOutcome.Repeated, first.Generation.Id), (repeat.Outcome, repeat.Generation.Id));
        await Assert.ThrowsAsync<DeadlinePassedException>(() => commands.SubmitAsync(late with { IdempotencyKey = "other" }, Token));
        await db.AssertConsistentAsync(Token);
    }
}

public sealed class ClaimExpiryOnOldestPostgresTests(TestServers servers) : ClaimExpiryTests(servers, PostgresAge.Oldest);

[Long]
public sealed class ClaimExpiryOnNewestPostgresTests(TestServers servers) : ClaimExpiryTests(servers, PostgresAge.Newest);
