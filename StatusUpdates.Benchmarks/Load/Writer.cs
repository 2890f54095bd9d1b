using Microsoft.EntityFrameworkCore;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Load;

/// <summary>
/// Appends updates as a worker does: generations are first submitted and claimed, then report progress through <see cref="StatusLog"/>.
/// <see cref="AppendAsync"/> may run concurrently for different users, but not for the same user.
/// </summary>
internal sealed class Writer : IAsyncDisposable
{
    private const int Concurrency = 8;
    private const int FirstAttempt = 1;
    private const int ClaimLimit = 500;

    private readonly StatusDatabase _database;
    private readonly StatusLog _log;
    private int _progress;

    private Writer(StatusDatabase database, IReadOnlyList<LoadUser> users)
    {
        _database = database;
        _log = new StatusLog(database);
        Users = users;
    }

    public IReadOnlyList<LoadUser> Users { get; }

    /// <summary>Creates users and submits generations for each.</summary>
    public static async Task<Writer> CreateAsync(
        string connectionString, int users, int generationsOfEach, CancellationToken cancellationToken, string prefix = "user")
    {
        var writer = new Writer(
            new StatusDatabase(connectionString), [.. Enumerable.Range(0, users).Select(i => new LoadUser($"{prefix}-{i}"))]);
        await Parallel.ForEachAsync(
            writer.Users,
            new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = cancellationToken },
            async (user, token) =>
            {
                for (var i = 0; i < generationsOfEach; i++)
                {
                    await writer.SubmitAsync(user, token);
                }
            });
        return writer;
    }

    /// <summary>Claims all generations, for longer than a benchmark lasts.</summary>
    public async Task ClaimAllAsync(CancellationToken cancellationToken)
    {
        var users = Users.ToDictionary(user => user.Id, StringComparer.Ordinal);
        var queue = new GenerationQueue(_database);
        var request = new ClaimRequest
        {
            Owner = "benchmark",
            Tasks = GenerationTypes.Default.TaskNames,
            Limit = ClaimLimit,
            Lease = TimeSpan.FromHours(12),
        };
        while (await queue.ClaimAsync(request, cancellationToken) is { Updates.Count: > 0 } claimed)
        {
            foreach (var update in claimed.Updates)
            {
                Follow(users[update.UserId], update);
            }
        }
    }

    /// <summary>Appends one progress update for each generation, in one commit.</summary>
    /// <returns>The updates, in the order of the generations.</returns>
    /// <exception cref="BenchmarkFailedException">The log refused one.</exception>
    public async Task<IReadOnlyList<StatusUpdate>> AppendAsync(
        IReadOnlyList<(LoadUser User, string GenerationId)> generations, CancellationToken cancellationToken)
    {
        var progress = Interlocked.Increment(ref _progress) % 101;
        var changes = generations.Select(generation => new StatusChange
        {
            GenerationId = generation.GenerationId,
            Status = GenerationStatus.Processing,
            Attempt = FirstAttempt,
            Progress = progress,
            TraceParent = TraceParent.New(),
        }).ToArray();
        var results = await _log.AppendAsync(changes, cancellationToken);
        var updates = new StatusUpdate[results.Count];
        for (var i = 0; i < updates.Length; i++)
        {
            updates[i] = results[i].Update
                ?? throw new BenchmarkFailedException($"The log refused an update of {generations[i].GenerationId}: {results[i].Refusal}.");
            Follow(generations[i].User, updates[i]);
        }

        return updates;
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    private async Task SubmitAsync(LoadUser user, CancellationToken cancellationToken)
    {
        var builder = new DbContextOptionsBuilder<StatusDbContext>();
        _database.Configure(builder);
        await using var context = new StatusDbContext(builder.Options);
        var submitted = await new GenerationCommands(_database, new GenerationQueries(context)).SubmitAsync(
            new Submission
            {
                UserId = user.Id,
                Type = "product_card",
                Task = GenerationTypes.Default.Find("product_card")!.DefaultTask,
                Prompt = "a prompt",
            },
            cancellationToken);
        user.Generations.Add(submitted.Generation.Id);
        Follow(user, submitted.Update!);
    }

    private static void Follow(LoadUser user, StatusUpdate update) => user.Head = Math.Max(user.Head, update.Seq!.Value);
}
