using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Data;

public abstract class StatusLogTests(TestServers servers, PostgresAge age)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_generation_goes_from_pending_to_completed_with_a_gapless_log()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var submitted = await db.SubmitAsync("u", cancellationToken: Token);
        var job = Assert.Single((await db.ClaimAsync(cancellationToken: Token)).Claimed);

        var progress = await db.Log.AppendAsync(Change(job.Id, GenerationStatus.Processing, job.Attempt) with { Progress = 40 }, Token);
        var completed = await db.Log.AppendAsync(
            Change(job.Id, GenerationStatus.Completed, job.Attempt) with { ResultUrls = ["https://example.org/1.png"], TokensUsed = 10 }, Token);

        Assert.Equal(submitted.Generation.Id, job.Id);
        Assert.Equal([3L, 4L], [progress.Update!.Seq, completed.Update!.Seq]);
        var page = await db.Log.ReadAfterAsync("u", 0, 10, Token);
        Assert.Equal(new LogBounds(1, 4), page.Bounds with { LastCheck = null });
        Assert.Equal([1L, 2, 3, 4], page.Items.Select(u => u.Seq!.Value));
        Assert.Equal(["pending", "processing", "processing", "completed"], page.Items.Select(u => u.Status.ToWireName()));
        Assert.Equal(["https://example.org/1.png"], page.Items[3].Metadata!.ResultUrls);
        Assert.Equal(10, page.Items[3].Metadata!.TokensUsed);
        Assert.Equal(1, page.Items[1].Metadata!.Attempt);

        var generation = (await db.CreateQueries().FindAsync("u", job.Id, Token))!;
        Assert.Equal(GenerationStatus.Completed, generation.Status);
        Assert.Equal(["https://example.org/1.png"], generation.ResultUrls!);
        Assert.Equal((10L, 100, 4L), (generation.TokensUsed, generation.Progress, generation.Seq));
        Assert.NotNull(generation.StartedAt);
        Assert.NotNull(generation.CompletedAt);
        Assert.Null(generation.LeaseOwner);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task The_update_returned_as_committed_equals_the_one_in_the_log()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        var job = (await db.ClaimAsync(cancellationToken: Token)).Claimed[0];
        var result = await db.Log.AppendAsync(
            Change(job.Id, GenerationStatus.Failed, job.Attempt) with { ErrorMessage = "no \0 credit", TraceParent = "00-1-2-01" }, Token);

        var stored = (await db.Log.ReadAfterAsync("u", 2, 1, Token)).Items.Single();
        Assert.Equal(StatusJson.Encode(result.Update! with { After = null }), StatusJson.Encode(stored));
        Assert.Equal(result.Update!.Position, stored.Position);
        Assert.Equal("no \uFFFD credit", stored.Metadata!.ErrorMessage);
    }

    [Fact]
    public async Task Invalid_text_from_a_provider_is_repaired_and_the_generation_ends()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        var jobs = (await db.ClaimAsync(2, cancellationToken: Token)).Claimed;

        var results = await db.Log.AppendAsync(
            [
                Change(jobs[0].Id, GenerationStatus.Completed, 1) with { ResultUrls = ["https://example.org/\0\ud800"] },
                Change(jobs[1].Id, GenerationStatus.Failed, 1) with { ErrorMessage = "\udfff" + new string('x', 5000) },
            ],
            Token);

        Assert.Equal(["https://example.org/\uFFFD\uFFFD"], results[0].Update!.Metadata!.ResultUrls!);
        Assert.Equal(ProviderText.MaxErrorLength, results[1].Update!.Metadata!.ErrorMessage!.Length);
        await db.AssertConsistentAsync(Token);
    }

    [Theory]
    [InlineData(GenerationStatus.Completed)]
    [InlineData(GenerationStatus.Failed)]
    [InlineData(GenerationStatus.Canceled)]
    public async Task A_terminal_state_is_final_and_a_refused_update_uses_up_no_seq(GenerationStatus terminal)
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        var job = (await db.ClaimAsync(cancellationToken: Token)).Claimed[0];
        if (terminal == GenerationStatus.Canceled)
        {
            await db.CreateCommands().CancelAsync("u", job.Id, cancellationToken: Token);
        }

        await db.Log.AppendAsync(Change(job.Id, terminal, job.Attempt), Token);

        foreach (var next in Enum.GetValues<GenerationStatus>())
        {
            var refused = await db.Log.AppendAsync(Change(job.Id, next, job.Attempt), Token);
            Assert.Equal((false, RefusalReason.Terminal, terminal), (refused.IsCommitted, refused.Refusal, refused.CurrentStatus));
        }

        Assert.Equal(new LogBounds(1, 3), await db.Log.ReadBoundsAsync("u", Token) with { LastCheck = null });
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_worker_cannot_cancel_a_running_generation_unless_its_owner_has_requested_it()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        var job = (await db.ClaimAsync(cancellationToken: Token)).Claimed[0];

        var unrequested = await db.Log.AppendAsync(Change(job.Id, GenerationStatus.Canceled, job.Attempt), Token);
        Assert.Equal((false, RefusalReason.NotAllowed, GenerationStatus.Processing), (unrequested.IsCommitted, unrequested.Refusal, unrequested.CurrentStatus));

        await db.CreateCommands().CancelAsync("u", job.Id, cancellationToken: Token);
        Assert.Equal(3, (await db.Log.AppendAsync(Change(job.Id, GenerationStatus.Canceled, job.Attempt), Token)).Update?.Seq);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task An_older_attempt_is_refused_once_the_generation_is_back_in_the_queue_or_with_another_worker()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        var first = (await db.ClaimAsync(owner: "one", cancellationToken: Token)).Claimed[0];
        await db.Log.AppendAsync(Change(first.Id, GenerationStatus.Pending, first.Attempt), Token);

        var whilePending = await db.Log.AppendAsync(Change(first.Id, GenerationStatus.Completed, first.Attempt), Token);
        var second = (await db.ClaimAsync(owner: "two", cancellationToken: Token)).Claimed[0];
        var whileAnotherRuns = await db.Log.AppendAsync(Change(first.Id, GenerationStatus.Completed, first.Attempt), Token);

        Assert.Equal(RefusalReason.StaleAttempt, whilePending.Refusal);
        Assert.Equal(RefusalReason.StaleAttempt, whileAnotherRuns.Refusal);
        Assert.Equal(2, second.Attempt);
        Assert.True((await db.Log.AppendAsync(Change(second.Id, GenerationStatus.Completed, second.Attempt), Token)).IsCommitted);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Every_transition_outside_the_lifecycle_is_refused()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var pending = (await db.SubmitAsync("u", cancellationToken: Token)).Generation;

        foreach (var next in new[] { GenerationStatus.Pending, GenerationStatus.Processing, GenerationStatus.Completed })
        {
            Assert.Equal(RefusalReason.NotAllowed, (await db.Log.AppendAsync(Change(pending.Id, next, null), Token)).Refusal);
        }

        await db.ClaimAsync(cancellationToken: Token);
        foreach (var next in Enum.GetValues<GenerationStatus>())
        {
            Assert.Equal(RefusalReason.NotAllowed, (await db.Log.AppendAsync(Change(pending.Id, next, null), Token)).Refusal);
        }

        Assert.Equal(RefusalReason.NotFound, (await db.Log.AppendAsync(Change("gen-none", GenerationStatus.Failed, null), Token)).Refusal);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_repeated_update_is_answered_with_the_seq_of_the_first()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        var job = (await db.ClaimAsync(cancellationToken: Token)).Claimed[0];
        var change = Change(job.Id, GenerationStatus.Processing, job.Attempt) with { Progress = 10 };

        var first = await db.Log.AppendAsync(change, Token);
        var again = await db.Log.AppendAsync(change, Token);
        await db.Log.AppendAsync(Change(job.Id, GenerationStatus.Completed, job.Attempt), Token);
        var later = await db.Log.AppendAsync(change, Token);

        Assert.Equal(3, first.Update!.Seq);
        Assert.Equal(StatusJson.Encode(first.Update with { After = null }), StatusJson.Encode(again.Update!));
        Assert.Equal(3, later.Update!.Seq);
        Assert.Equal(new LogBounds(1, 4), await db.Log.ReadBoundsAsync("u", Token) with { LastCheck = null });
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_batch_numbers_each_users_updates_in_order_and_returns_an_outcome_for_each()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        foreach (var user in new[] { "a", "b", "a", "b", "a" })
        {
            await db.SubmitAsync(user, cancellationToken: Token);
        }

        // More slots than generations: a claim shares its slots among the users and may start with either.
        var jobs = (await db.ClaimAsync(20, cancellationToken: Token)).Claimed;
        var changes = jobs.Reverse().Select(j => Change(j.Id, GenerationStatus.Completed, j.Attempt)).ToList();
        changes.Insert(2, Change("gen-none", GenerationStatus.Completed, 1));
        changes[1] = changes[1] with { Attempt = 7 };

        var results = await db.Log.AppendAsync(changes, Token);

        Assert.Equal([null, RefusalReason.StaleAttempt, RefusalReason.NotFound, null, null, null], results.Select(r => r.Refusal));
        foreach (var user in results.Where(r => r.IsCommitted).GroupBy(r => r.Update!.UserId))
        {
            var seqs = user.Select(r => r.Update!.Seq!.Value).ToList();
            Assert.Equal(seqs.Order(), seqs);
        }

        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task Two_changes_of_one_generation_in_a_batch_are_a_caller_error()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await Assert.ThrowsAsync<ArgumentException>(() => db.Log.AppendAsync(
            [Change("gen-1", GenerationStatus.Failed, null), Change("gen-1", GenerationStatus.Failed, null)], Token));
    }

    [Fact]
    public async Task A_history_is_visible_to_its_user_only_and_says_whether_retention_removed_a_part()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var other = (await db.SubmitAsync("u", cancellationToken: Token)).Generation;
        var generation = (await db.SubmitAsync("u", cancellationToken: Token)).Generation;
        await db.ClaimAsync(2, cancellationToken: Token);

        Assert.Null(await db.Log.ReadHistoryAsync("someone", generation.Id, 0, 10, Token));
        var all = (await db.Log.ReadHistoryAsync("u", generation.Id, 0, 10, Token))!;
        Assert.True(all.IsComplete);
        Assert.Equal([2L, 4L], all.Items.Select(u => u.Seq!.Value));
        Assert.Equal([4L], (await db.Log.ReadHistoryAsync("u", generation.Id, 2, 10, Token))!.Items.Select(u => u.Seq!.Value));

        await db.ExecuteAsync("DELETE FROM status_events WHERE seq <= 2; UPDATE user_streams SET oldest_seq = 3", Token);
        Assert.False((await db.Log.ReadHistoryAsync("u", generation.Id, 0, 10, Token))!.IsComplete);
        Assert.True((await db.Log.ReadHistoryAsync("u", generation.Id, 2, 10, Token))!.IsComplete);
        Assert.False((await db.Log.ReadHistoryAsync("u", other.Id, 1, 10, Token))!.IsComplete);
    }

    [Fact]
    public async Task Heads_are_read_in_chunks_and_users_without_a_log_are_absent()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.ExecuteAsync("INSERT INTO user_streams SELECT 'u' || i, i, 1, 0 FROM generate_series(1, 2500) i", Token);

        var bounds = await db.Log.ReadBoundsAsync([.. Enumerable.Range(0, 2501).Select(i => $"u{i}")], Token);

        Assert.Equal(2500, bounds.Count);
        Assert.All(bounds, b => Assert.Equal(b.Key, $"u{b.Value.Last}"));
        Assert.Equal(LogBounds.Empty, await db.Log.ReadBoundsAsync("u0", Token));
    }

    private static StatusChange Change(string id, GenerationStatus status, int? attempt) =>
        new() { GenerationId = id, Status = status, Attempt = attempt };
}

public sealed class StatusLogOnOldestPostgresTests(TestServers servers) : StatusLogTests(servers, PostgresAge.Oldest);

[Long]
public sealed class StatusLogOnNewestPostgresTests(TestServers servers) : StatusLogTests(servers, PostgresAge.Newest);
