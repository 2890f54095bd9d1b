using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Data;

/// <summary>The limits on the number of generations of a user hold for committed data, however many submissions run at once.</summary>
public abstract class SubmissionQuotaTests(TestServers servers, PostgresAge age)
{
    private static readonly SubmissionQuota Quota = new(MaxPending: 3, MaxStored: 5);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Simultaneous_submissions_do_not_exceed_the_limit_and_a_refused_one_uses_up_no_seq()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);

        // A user's very first submissions, of every type: there is no row yet that they could lock.
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 30).Select(i => TryAsync(db, "u", GenerationTypes.Default.Names[i % 3])));
        var others = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => TryAsync(db, "other", "sora")));

        Assert.Equal(3, outcomes.Count(outcome => outcome is null));
        Assert.All(outcomes.OfType<QuotaReachedException>(), refusal => Assert.True(refusal.IsOfPending));
        Assert.All(others, Assert.Null);
        Assert.Equal((1L, 3L), await db.Log.ReadBoundsAsync("u", Token) is var bounds ? (bounds.Oldest, bounds.Last) : default);
        await db.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task An_ended_generation_counts_as_stored_but_no_longer_as_pending()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        for (var i = 0; i < 5; i++)
        {
            Assert.Null(await TryAsync(db, "u", "sora"));
            var id = await db.ScalarAsync<string>("SELECT id FROM generations WHERE status = 'pending'", Token);
            await db.CreateCommands().CancelAsync("u", id!, cancellationToken: Token);
        }

        Assert.False((await TryAsync(db, "u", "chat"))!.IsOfPending);
        Assert.Null(await TryAsync(db, "other", "chat"));
    }

    [Fact]
    public async Task A_repeated_submission_is_answered_even_if_the_limit_is_reached()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        var submission = Submission("u", "sora") with { IdempotencyKey = "k", RequestHash = [1] };
        var first = await db.CreateCommands().SubmitAsync(submission, Quota, Token);
        Assert.Null(await TryAsync(db, "u", "sora"));
        Assert.Null(await TryAsync(db, "u", "sora"));
        Assert.NotNull(await TryAsync(db, "u", "sora"));

        var repeated = await db.CreateCommands().SubmitAsync(submission with { GenerationId = "gen-other" }, Quota, Token);

        Assert.Equal((SubmitOutcome.Repeated, first.Generation.Id), (repeated.Outcome, repeated.Generation.Id));
    }

    private static Submission Submission(string user, string type) =>
        new() { UserId = user, Type = type, Task = GenerationTypes.Default.Find(type)!.DefaultTask, Prompt = "p" };

    private static async Task<QuotaReachedException?> TryAsync(TestDatabase db, string user, string type)
    {
        try
        {
            await db.CreateCommands().SubmitAsync(Submission(user, type), Quota, Token);
            return null;
        }
        catch (QuotaReachedException e)
        {
            return e;
        }
    }
}

public sealed class SubmissionQuotaOnOldestPostgresTests(TestServers servers) : SubmissionQuotaTests(servers, PostgresAge.Oldest);

[Long]
public sealed class SubmissionQuotaOnNewestPostgresTests(TestServers servers) : SubmissionQuotaTests(servers, PostgresAge.Newest);
