using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>Postgres restarts under load, and connections break between a commit and its response. Everything that was acknowledged exists exactly once.</summary>
[Long]
public sealed class RestartedPostgresTests
{
    private const int Users = 8;
    private const int Writers = 64;
    private const int Submitters = 8;

    private static readonly StatusDatabaseOptions LongRetry = new() { RetryFor = TimeSpan.FromMinutes(3) };

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task No_accepted_submission_and_no_acknowledged_update_is_missing_or_duplicated()
    {
        // With its normal settings, including fsync.
        await using var cluster = await TestCluster.StartAsync();
        await using var db = await cluster.CreateDatabaseAsync(Token);
        var jobs = await StartJobsAsync(db);
        await using var proxy = TcpProxy.ToDatabase(db.ConnectionString, out var proxied);
        await using var database = new StatusDatabase(proxied, LongRetry);
        await using var log = new StatusLog(database);
        using var stop = new CancellationTokenSource();
        var updates = new ConcurrentBag<StatusUpdate>();
        var submissions = new ConcurrentBag<string>();

        var load = jobs.Select(job => WriteAsync(log, job, updates, stop.Token))
            .Concat(Enumerable.Range(0, Submitters).Select(n => SubmitAsync(database, $"user-{n % Users}", submissions, stop.Token)))
            .ToArray();
        foreach (var mode in new[] { StopMode.Fast, StopMode.Immediate, StopMode.Fast })
        {
            await ProgressAsync(updates, submissions, 2_000);
            proxy.LoseAnswers(3);
            await ProgressAsync(updates, submissions, 2_000);
            await cluster.Server.RestartAsync(mode, Token);
        }

        await ProgressAsync(updates, submissions, 2_000);
        await stop.CancelAsync();
        await Task.WhenAll(load);

        Assert.Equal(9, proxy.Lost);
        var written = await ReadAllAsync(db);
        Assert.Equal(written.Count, written.Select(update => (update.UserId, update.Seq)).Distinct().Count());
        var byPosition = written.ToDictionary(update => (update.UserId, update.Seq));
        Assert.All(updates, update => Assert.Equal(Encode(update), Encode(byPosition[(update.UserId, update.Seq)])));

        // Every caller waited for a response, so nothing exists that was not acknowledged.
        Assert.Equal(updates.Count, written.Count(update => update.Metadata?.Progress is not null));
        Assert.Equal(submissions.Order(), written.Where(update => update.Status == GenerationStatus.Pending).Select(update => update.GenerationId)
            .Except(jobs.Select(job => job.GenerationId)).Order());
        await db.AssertConsistentAsync(Token);
    }

    private static async Task<IReadOnlyList<StatusChange>> StartJobsAsync(TestDatabase db)
    {
        for (var i = 0; i < Writers; i++)
        {
            await db.SubmitAsync($"user-{i % Users}", cancellationToken: Token);
        }

        var jobs = new List<StatusChange>();
        while (await db.ClaimAsync(Writers, lease: TimeSpan.FromHours(1), cancellationToken: Token) is { Claimed.Count: > 0 } claim)
        {
            jobs.AddRange(claim.Claimed.Select(job => new StatusChange
            {
                GenerationId = job.Id,
                UserId = job.UserId,
                Status = GenerationStatus.Processing,
                Attempt = job.Attempt,
            }));
        }

        Assert.Equal(Writers, jobs.Count);
        return jobs;
    }

    private static async Task WriteAsync(StatusLog log, StatusChange job, ConcurrentBag<StatusUpdate> updates, CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            var result = await log.AppendAsync(job with { Progress = i % 100, UpdateId = Guid.CreateVersion7() }, Token);
            Assert.True(result.IsCommitted, $"{result.Refusal}");
            updates.Add(result.Update!);
        }
    }

    private static async Task SubmitAsync(StatusDatabase database, string userId, ConcurrentBag<string> submissions, CancellationToken stop)
    {
        var builder = new DbContextOptionsBuilder<StatusDbContext>();
        database.Configure(builder);
        while (!stop.IsCancellationRequested)
        {
            await using var context = new StatusDbContext(builder.Options);
            var submission = new Submission
            {
                UserId = userId,
                Type = "sora",
                Task = "sora",
                Prompt = "p",
            };
            try
            {
                submissions.Add((await new GenerationCommands(database, new GenerationQueries(context)).SubmitAsync(submission, Token)).Generation.Id);
            }
            catch (NpgsqlException)
            {
                // It found its earlier attempt and could not read it: a client that gets this error sends the same request again.
                await using var again = new StatusDbContext(builder.Options);
                submissions.Add((await database.RetryAsync(
                    token => new GenerationCommands(database, new GenerationQueries(again)).SubmitAsync(submission, token), Token)).Generation.Id);
            }
        }
    }

    private static Task ProgressAsync(ConcurrentBag<StatusUpdate> updates, ConcurrentBag<string> submissions, int count)
    {
        var (updatesThen, submissionsThen) = (updates.Count, submissions.Count);
        return Eventually.TrueAsync(() => updates.Count >= updatesThen + count && submissions.Count > submissionsThen);
    }

    private static async Task<List<StatusUpdate>> ReadAllAsync(TestDatabase db)
    {
        var all = new List<StatusUpdate>();
        for (var n = 0; n < Users; n++)
        {
            all.AddRange((await db.Log.ReadAfterAsync($"user-{n}", 0, 1_000_000, Token)).Items);
        }

        return all;
    }

    private static string Encode(StatusUpdate update) => System.Text.Encoding.UTF8.GetString(StatusJson.Encode(update with { After = null }));
}
