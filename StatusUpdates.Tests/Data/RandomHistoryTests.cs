using System.Globalization;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Retention;

namespace StatusUpdates.Tests.Data;

/// <summary>
/// Random writers of all kinds run alongside retention that removes what is milliseconds old, on few users so that they collide. A failure
/// is a violated invariant of the database, whatever the order of the steps; the seed is in the output.
/// </summary>
public sealed class RandomHistoryTests(TestServers servers)
{
    private static readonly string[] Users = ["a", "b", "c"];

    private static readonly int Steps =
        int.Parse(Environment.GetEnvironmentVariable("RANDOM_HISTORY_STEPS") ?? "120", CultureInfo.InvariantCulture);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task During_random_writes_and_trims_readers_see_every_seq_or_get_a_resync()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var readers = Users.SelectMany(user => Enumerable.Range(0, 2).Select(_ => Random(random => ReadAsync(db, user, random, done.Token)))).ToArray();
        var retention = Random(random => RemoveAsync(db, random, done.Token));

        await Task.WhenAll(Enumerable.Range(0, 6).Select(n => Random(random => WriteAsync(db, $"worker-{n}", random))));
        await done.CancelAsync();
        var read = await Task.WhenAll(readers);
        var (_, updates) = await retention;

        await db.AssertConsistentAsync(Token);
        Assert.All(read, r => Assert.True(r.Pages > 0));
        Assert.True(updates > 0);
        Assert.True(read.Sum(r => r.Resyncs) > 0, "No reader was ever overtaken by retention.");
        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()", Token));
    }

    [Fact]
    public async Task During_random_writes_and_retention_the_counts_match_the_rows_at_every_moment()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var retention = Random(random => RemoveAsync(db, random, done.Token));
        var check = Task.Run(
            async () =>
            {
                var checks = 0;
                for (; !done.IsCancellationRequested; checks++)
                {
                    Assert.Equal(0L, await db.ScalarAsync<long>(TestDatabase.WrongCountsSql, Token));
                }

                return checks;
            },
            Token);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Random(random => WriteAsync(db, $"worker-{n}", random))));
        await done.CancelAsync();

        Assert.True(await check > 0);
        Assert.True((await retention).Generations > 0);
        await db.AssertConsistentAsync(Token);
        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT count(*) FROM generation_counts WHERE count < 0", Token));
        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()", Token));
    }

    // All kinds of writes in any order; refused ones are fine too.
    private static async Task<int> WriteAsync(TestDatabase db, string owner, Random random)
    {
        var mine = new List<(string Id, int Attempt)>();
        for (var step = 0; step < Steps; step++)
        {
            var user = Users[random.Next(Users.Length)];
            switch (random.Next(10))
            {
                case 0 or 1:
                    var type = GenerationTypes.Default.Names[random.Next(3)];
                    var submitted = await db.SubmitAsync(user, type, random.Next(2) == 0 ? $"key-{random.Next(5)}" : null, Token);
                    if (random.Next(4) == 0)
                    {
                        await db.CreateCommands().CancelAsync(user, submitted.Generation.Id, cancellationToken: Token);
                    }

                    break;
                case 2 or 3:
                    // Some leases expire at once, and another worker takes those generations.
                    var lease = random.Next(3) == 0 ? TimeSpan.FromMilliseconds(1) : TimeSpan.FromMinutes(10);
                    var claim = await db.ClaimAsync(random.Next(1, 5), owner, lease, Token);
                    mine.AddRange(claim.Claimed.Select(claimed => (claimed.Id, claimed.Attempt)));
                    break;
                case 4 when mine.Count > 0:
                    await db.CreateCommands().CancelAsync(user, mine[random.Next(mine.Count)].Id, cancellationToken: Token);
                    break;
                case var _ when mine.Count > 0:
                    var some = mine.OrderBy(_ => random.Next()).DistinctBy(job => job.Id).Take(random.Next(1, 4)).ToArray();
                    var changes = some.Select(job => Change(job.Id, job.Attempt, random)).ToArray();
                    var results = await db.Log.AppendAsync(changes, Token);
                    mine.RemoveAll(job => some.Contains(job) &&
                        (changes.Single(c => c.GenerationId == job.Id).Status != GenerationStatus.Processing || !results[Array.IndexOf(some, job)].IsCommitted));
                    break;
                default:
                    break;
            }
        }

        return Steps;
    }

    private static StatusChange Change(string id, int attempt, Random random)
    {
        var status = random.Next(8) switch
        {
            < 4 => GenerationStatus.Processing,
            4 or 5 => GenerationStatus.Completed,
            6 => GenerationStatus.Failed,
            _ => GenerationStatus.Pending,
        };
        return new StatusChange
        {
            GenerationId = id,
            Status = status,
            Attempt = attempt,
            Progress = status == GenerationStatus.Processing ? random.Next(100) : null,
            CountsAsFailure = status == GenerationStatus.Pending && random.Next(2) == 0,
        };
    }

    private static async Task<(long Generations, long Updates)> RemoveAsync(TestDatabase db, Random random, CancellationToken done)
    {
        var (generations, updates) = (0L, 0L);
        while (!done.IsCancellationRequested)
        {
            await using var pass = (await RetentionPass.TryBeginAsync(db.Database, Token))!;
            var age = TimeSpan.FromMilliseconds(random.Next(100));
            generations += await pass.DeleteGenerationsAsync(age, random.Next(1, 10), Token);
            var old = await pass.FindOldLogsAsync("", age, random.Next(1, 5), Token);
            updates += (await pass.TrimAsync([.. old.Logs.Select(log => log.UserId)], age, random.Next(1, 30), Token)).Sum(log => log.Count);
        }

        return (generations, updates);
    }

    private static async Task<(int Pages, int Resyncs)> ReadAsync(TestDatabase db, string user, Random random, CancellationToken done)
    {
        var (pages, resyncs, cursor) = (0, 0, 0L);
        for (; !done.IsCancellationRequested; pages++)
        {
            var limit = random.Next(1, 20);
            var page = await db.Log.ReadAfterAsync(user, cursor, limit, Token);
            if (!page.Bounds.Covers(cursor))
            {
                Assert.True(cursor < page.Bounds.Oldest - 1);
                resyncs++;
                cursor = page.Bounds.Last;
                continue;
            }

            // A covered cursor gets all updates up to the limit or the head.
            var due = Math.Min(limit, page.Bounds.Last - cursor);
            Assert.Equal(Enumerable.Range(1, (int)due).Select(i => cursor + i), page.Items.Select(item => item.Seq!.Value));
            cursor += due;
            if (random.Next(10) == 0)
            {
                cursor = random.NextInt64(cursor + 1);
            }
        }

        return (pages, resyncs);
    }

    private static Task<T> Random<T>(Func<Random, Task<T>> run)
    {
        var seed = System.Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        return Task.Run(() => run(new Random(seed)), Token);
    }
}
