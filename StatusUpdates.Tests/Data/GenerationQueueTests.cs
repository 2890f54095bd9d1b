using System.Diagnostics;
using Npgsql;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Data;

public abstract class GenerationQueueTests(TestServers servers, PostgresAge age)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Workers_that_claim_at_the_same_time_share_the_queue_without_overlap()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        for (var i = 0; i < 100; i++)
        {
            await db.SubmitAsync($"u{i % 7}", cancellationToken: Token);
        }

        var claims = await Task.WhenAll(Enumerable.Range(0, 10).Select(n => db.ClaimAsync(20, $"w{n}", cancellationToken: Token)));

        var ids = claims.SelectMany(c => c.Claimed).Select(j => j.Id).ToList();
        Assert.Equal(ids.Count, ids.Distinct().Count());
        ids.AddRange((await db.ClaimAsync(100, cancellationToken: Token)).Claimed.Select(j => j.Id));
        Assert.Equal(100, ids.Distinct().Count());
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_claim_takes_only_due_generations_of_tasks_that_the_worker_can_do()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", "sora", cancellationToken: Token);
        var card = (await db.SubmitAsync("u", cancellationToken: Token)).Generation;
        var later = (await db.SubmitAsync("u", cancellationToken: Token)).Generation;
        await db.ExecuteAsync($"UPDATE generations SET run_at = now() + interval '1 hour' WHERE id = '{later.Id}'", Token);

        var claim = await db.Queue.ClaimAsync(
            new ClaimRequest { Owner = "w", Tasks = ["product_card"], Limit = 10, Lease = TimeSpan.FromSeconds(30) }, Token);

        Assert.Equal([card.Id], claim.Claimed.Select(j => j.Id));
    }

    [Fact]
    public async Task An_expired_lease_becomes_the_next_attempt_and_the_old_one_is_refused()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.SubmitAsync("u", cancellationToken: Token);
        var first = (await db.ClaimAsync(owner: "dead", cancellationToken: Token)).Claimed[0];
        await ExpireAsync(db);

        var second = Assert.Single((await db.ClaimAsync(owner: "alive", cancellationToken: Token)).Claimed);

        Assert.Equal((first.Id, 2, 1), (second.Id, second.Attempt, second.Failures));
        var old = await db.Log.AppendAsync(
            new StatusChange { GenerationId = first.Id, Status = GenerationStatus.Completed, Attempt = first.Attempt }, Token);
        Assert.Equal(RefusalReason.StaleAttempt, old.Refusal);
        Assert.Empty(await db.Queue.ExtendLeasesAsync("dead", [], TimeSpan.FromSeconds(30), Token));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_generation_whose_worker_dies_on_every_attempt_fails_in_the_end()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var id = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(i + 1, Assert.Single((await db.ClaimAsync(cancellationToken: Token)).Claimed).Attempt);
            await ExpireAsync(db);
        }

        var last = await db.ClaimAsync(cancellationToken: Token);

        Assert.Empty(last.Claimed);
        Assert.Equal(GenerationStatus.Failed, Assert.Single(last.Updates).Status);
        var generation = (await db.CreateQueries().FindAsync("u", id, Token))!;
        Assert.Equal((GenerationStatus.Failed, 3), (generation.Status, generation.Failures));
        Assert.NotEmpty(generation.ErrorMessage!);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task An_expired_lease_with_a_cancel_request_ends_canceled()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var id = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        await db.ClaimAsync(cancellationToken: Token);
        var cancel = await db.CreateCommands().CancelAsync("u", id, cancellationToken: Token);
        await ExpireAsync(db);

        var claim = await db.ClaimAsync(cancellationToken: Token);

        Assert.Equal(CancelOutcome.Requested, cancel.Outcome);
        Assert.Empty(claim.Claimed);
        Assert.Equal(GenerationStatus.Canceled, Assert.Single(claim.Updates).Status);
        await db.AssertConsistentAsync(Token);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_generation_that_returns_to_the_queue_after_a_cancel_request_is_canceled_at_once(bool isRetry)
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var id = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        await db.ClaimAsync(cancellationToken: Token);
        await db.CreateCommands().CancelAsync("u", id, cancellationToken: Token);
        var change = new StatusChange
        {
            GenerationId = id,
            Status = GenerationStatus.Pending,
            Attempt = 1,
            ErrorMessage = isRetry ? "busy" : null,
            RunAfter = isRetry ? TimeSpan.FromHours(1) : TimeSpan.Zero,
            CountsAsFailure = isRetry,
        };

        var result = await db.Log.AppendAsync(change, Token);
        var repeated = await db.Log.AppendAsync(change, Token);

        Assert.Equal((GenerationStatus.Canceled, new StatusMetadata { Attempt = 1 }), (result.Update!.Status, result.Update.Metadata));
        Assert.Equal(result with { Update = result.Update with { After = null } }, repeated);
        Assert.Equal(repeated.Update, (await db.Log.ReadAfterAsync("u", 2, 10, Token)).Items.Single());
        Assert.Empty((await db.ClaimAsync(cancellationToken: Token)).Updates);
        var generation = (await db.CreateQueries().FindAsync("u", id, Token))!;
        Assert.Equal((GenerationStatus.Canceled, null), (generation.Status, generation.LeaseOwner));
        Assert.NotNull(generation.CompletedAt);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_cancel_request_that_commits_while_a_retry_waits_for_its_lock_still_counts()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var id = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        await db.ClaimAsync(cancellationToken: Token);
        await using var other = await db.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await other.BeginTransactionAsync(Token);
        await using (var request = new NpgsqlCommand("UPDATE generations SET cancel_requested_at = now()", other, transaction))
        {
            await request.ExecuteNonQueryAsync(Token);
        }

        var append = db.Log.AppendAsync(
            new StatusChange { GenerationId = id, Status = GenerationStatus.Pending, Attempt = 1, RunAfter = TimeSpan.FromHours(1) }, Token);
        await db.UntilAsync("SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
        await transaction.CommitAsync(Token);

        Assert.Equal(GenerationStatus.Canceled, (await append).Update!.Status);
        Assert.Equal(GenerationStatus.Canceled, (await db.CreateQueries().FindAsync("u", id, Token))!.Status);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_retry_is_due_at_the_time_in_its_update_and_not_before()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var id = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        await db.ClaimAsync(cancellationToken: Token);

        var result = await db.Log.AppendAsync(
            new StatusChange
            {
                GenerationId = id,
                Status = GenerationStatus.Pending,
                Attempt = 1,
                ErrorMessage = "busy",
                RunAfter = TimeSpan.FromMinutes(1),
                CountsAsFailure = true,
            },
            Token);

        Assert.Equal(result.Update! with { After = null }, (await db.Log.ReadAfterAsync("u", 2, 10, Token)).Items.Single());
        Assert.Equal(
            result.Update!.Metadata!.RetryAt,
            await db.ScalarAsync<long>("SELECT (extract(epoch FROM run_at) * 1000)::bigint FROM generations", Token));
        Assert.InRange(result.Update.Metadata.RetryAt!.Value - result.Update.Timestamp, 50_000, 60_000);
        Assert.Empty((await db.ClaimAsync(cancellationToken: Token)).Claimed);
        await db.ExecuteAsync("UPDATE generations SET run_at = run_at - interval '1 minute'", Token);
        var claimed = Assert.Single((await db.ClaimAsync(cancellationToken: Token)).Claimed);
        Assert.Equal((2, 1), (claimed.Attempt, claimed.Failures));
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_heartbeat_extends_all_leases_of_its_worker_and_returns_cancel_requests()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var ids = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            ids.Add((await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id);
        }

        await db.ClaimAsync(2, "me", cancellationToken: Token);
        await db.ClaimAsync(1, "other", cancellationToken: Token);
        await db.CreateCommands().CancelAsync("u", ids[1], cancellationToken: Token);

        var held = await db.Queue.ExtendLeasesAsync("me", [], TimeSpan.FromHours(1), Token);

        Assert.Equal([new HeldLease(ids[0], 1, false), new HeldLease(ids[1], 1, true)], held.OrderBy(h => h.GenerationId, StringComparer.Ordinal).Select(h => h with { RunningFor = default }));
        Assert.Equal(2L, await db.ScalarAsync<long>("SELECT count(*) FROM generations WHERE lease_expires_at > now() + interval '50 minutes'", Token));
    }

    [Fact]
    public async Task A_pending_generation_is_canceled_at_once_and_canceling_it_again_changes_nothing()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var id = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        var commands = db.CreateCommands();

        var foreign = await commands.CancelAsync("v", id, cancellationToken: Token);
        var first = await commands.CancelAsync("u", id, cancellationToken: Token);
        var again = await commands.CancelAsync("u", id, cancellationToken: Token);

        Assert.Equal(CancelOutcome.NotFound, foreign.Outcome);
        Assert.Equal((CancelOutcome.Canceled, 2L), (first.Outcome, first.Update!.Seq));
        Assert.Equal(GenerationStatus.Canceled, (await db.CreateQueries().FindAsync("u", id, Token))!.Status);
        Assert.Equal(CancelOutcome.AlreadyCanceled, again.Outcome);
        Assert.Empty((await db.ClaimAsync(cancellationToken: Token)).Claimed);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_claim_carries_the_trace_of_the_submission()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        await db.CreateCommands().SubmitAsync(
            new Submission { UserId = "u", Type = "sora", Task = "sora", Prompt = "p", TraceParent = Trace }, Token);

        // If spans are collected, this is the claim's own span, which belongs to that trace.
        var claimed = (await db.ClaimAsync(cancellationToken: Token)).Claimed[0].TraceParent;
        Assert.True(ActivityContext.TryParse(claimed, null, out var context));
        Assert.Equal("0af7651916cd43dd8448eb211c80319c", context.TraceId.ToHexString());
    }

    private static Task ExpireAsync(TestDatabase db) =>
        db.ExecuteAsync("UPDATE generations SET lease_expires_at = now() - interval '1 second' WHERE status = 'processing'", Token);

    [Fact]
    public async Task The_leases_of_a_worker_that_is_not_trusted_are_extended_only_for_what_it_runs_and_need_not_stop()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        for (var i = 0; i < 5; i++)
        {
            await db.SubmitAsync("u", cancellationToken: Token);
        }

        var claimed = (await db.ClaimAsync(limit: 5, owner: "me", cancellationToken: Token)).Claimed.OrderBy(c => c.Id, StringComparer.Ordinal).ToArray();
        await db.CreateCommands().CancelAsync("u", claimed[1].Id, cancellationToken: Token);
        await db.ExecuteAsync($"UPDATE generations SET deadline = now() WHERE id = '{claimed[2].Id}'", Token);
        await db.ExecuteAsync($"UPDATE generations SET run_at = now() - interval '1 hour' WHERE id = '{claimed[3].Id}'", Token);

        var held = await db.Queue.ExtendRunningAsync(
            "me", claimed.Take(4).Select(c => c.Id), TimeSpan.FromHours(2), TimeSpan.FromMinutes(30), Token);

        Assert.Equal(
            [(true, false), (false, true), (false, false), (false, false), (false, false)],
            held.OrderBy(h => h.GenerationId, StringComparer.Ordinal).Select(h => (h.IsExtended, h.IsCancelRequested)));
        Assert.Equal(1L, await db.ScalarAsync<long>("SELECT count(*) FROM generations WHERE lease_expires_at > now() + interval '1 hour'", Token));
        Assert.Empty(await db.Queue.ExtendRunningAsync("another", [claimed[0].Id], TimeSpan.FromHours(2), TimeSpan.FromMinutes(30), Token));
    }

    [Fact]
    public async Task A_change_in_the_name_of_another_holder_is_refused_as_one_of_a_stale_attempt()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var id = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        await db.ClaimAsync(owner: "me", cancellationToken: Token);
        var change = new StatusChange { GenerationId = id, Status = GenerationStatus.Completed, Attempt = 1, LeaseOwner = "another" };

        Assert.Equal(RefusalReason.StaleAttempt, (await db.Log.AppendAsync(change, Token)).Refusal);
        Assert.True((await db.Log.AppendAsync(change with { LeaseOwner = "me" }, Token)).IsCommitted);
        await db.AssertConsistentAsync(Token);
    }
}
