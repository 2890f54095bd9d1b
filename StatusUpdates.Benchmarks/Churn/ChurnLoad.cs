using Microsoft.EntityFrameworkCore;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Churn;

/// <summary>Generations at a steady rate, from submission through claim and progress to completion, written as API and worker do.</summary>
internal sealed class ChurnLoad(StatusDatabase database, int users, int rate, int progress) : IAsyncDisposable
{
    private const int ClaimLimit = 100;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);

    private readonly StatusLog _log = new(database);
    private readonly GenerationQueue _queue = new(database);
    private long _submitted;
    private long _completed;

    public long Submitted => Interlocked.Read(ref _submitted);

    public long Completed => Interlocked.Read(ref _completed);

    /// <summary>Runs until it is stopped; unfinished generations stay unfinished.</summary>
    public Task RunAsync(CancellationToken stop) => Task.WhenAll(SubmitAsync(stop), ClaimAsync(stop));

    public ValueTask DisposeAsync() => _log.DisposeAsync();

    private async Task SubmitAsync(CancellationToken stop)
    {
        var builder = new DbContextOptionsBuilder<StatusDbContext>();
        database.Configure(builder);
        await using var context = new StatusDbContext(builder.Options);
        var commands = new GenerationCommands(database, new GenerationQueries(context));
        using var timer = new PeriodicTimer(Tick);
        for (var due = 0.0; await timer.WaitForNextTickAsync(stop);)
        {
            for (due += rate * Tick.TotalSeconds; due >= 1; due--)
            {
                var number = Interlocked.Increment(ref _submitted);
                var task = GenerationTypes.Default.TaskNames[(int)(number % GenerationTypes.Default.TaskNames.Count)];
                await commands.SubmitAsync(
                    new Submission
                    {
                        UserId = $"user-{number * 7919 % users}",
                        Type = GenerationTypes.Default.TypeOf(task)!.Name,
                        Task = task,
                        Prompt = "Product card: clean, on white, as large as it gets",
                    },
                    stop);
            }
        }
    }

    private async Task ClaimAsync(CancellationToken stop)
    {
        var request = new ClaimRequest
        {
            Owner = "benchmark",
            Tasks = GenerationTypes.Default.TaskNames,
            Limit = ClaimLimit,
            Lease = TimeSpan.FromHours(12),
        };
        var jobs = new List<Task>();
        using var timer = new PeriodicTimer(Tick);
        while (await timer.WaitForNextTickAsync(stop))
        {
            jobs.AddRange((await _queue.ClaimAsync(request, stop)).Claimed.Select(job => WorkAsync(job, stop)));
            await Task.WhenAll(jobs.Where(job => job.IsCompleted));
            jobs.RemoveAll(job => job.IsCompletedSuccessfully);
        }
    }

    private async Task WorkAsync(ClaimedGeneration job, CancellationToken stop)
    {
        for (var step = 1; step <= progress + 1; step++)
        {
            await Task.Delay(Tick, stop);
            var isLast = step > progress;
            var result = await _log.AppendAsync(
                new StatusChange
                {
                    GenerationId = job.Id,
                    Status = isLast ? GenerationStatus.Completed : GenerationStatus.Processing,
                    Attempt = job.Attempt,
                    Progress = isLast ? null : 100 * step / (progress + 1),
                    ResultUrls = isLast ? ["https://example.com/results/of-this-generation"] : null,
                },
                stop);
            if (!result.IsCommitted)
            {
                throw new BenchmarkFailedException($"The log refused an update of {job.Id}: {result.Refusal}.");
            }
        }

        Interlocked.Increment(ref _completed);
    }
}
