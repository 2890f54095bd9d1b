using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Processors;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Benchmarks.Pipeline;

/// <summary>
/// The worker with providers that go on for ever. What it is told over HTTP, it does: calls of <c>UpdateStatusAsync</c> for what runs, at a
/// rate or as fast as they are answered; and answers with the moment at which each began.
/// </summary>
internal static class PipelineHost
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(2);

    public static Task RunAsync()
    {
        var builder = WorkerPart.CreateBuilder<EndlessProvider>();
        builder.AddProcessors();
        var app = builder.Build();
        app.MapGet("/ready", () => "ready");
        app.MapPost("/jobs", (RunningJobs jobs) => jobs.Snapshot().Count.ToString(CultureInfo.InvariantCulture));
        app.MapPost("/steady", async (RunningJobs jobs, ProcessorRegistry processors, int rate, int milliseconds) =>
            Text(await SteadyAsync(new Updates(jobs, processors), rate, TimeSpan.FromMilliseconds(milliseconds))));
        app.MapPost("/saturated", async (RunningJobs jobs, ProcessorRegistry processors, int milliseconds) =>
            Text(await SaturatedAsync(new Updates(jobs, processors), TimeSpan.FromMilliseconds(milliseconds))));
        return app.RunAsync();
    }

    /// <summary>What is due is begun when it is due, however long the ones before take.</summary>
    private static async Task<Updates> SteadyAsync(Updates updates, int rate, TimeSpan duration)
    {
        var calls = new List<Task>();
        var started = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(Tick);
        for (var begun = 0; Stopwatch.GetElapsedTime(started) < duration; await timer.WaitForNextTickAsync())
        {
            for (var due = (int)(Stopwatch.GetElapsedTime(started).TotalSeconds * rate); begun < due; begun++)
            {
                calls.Add(updates.UpdateAsync(begun));
            }
        }

        await Task.WhenAll(calls);
        return updates;
    }

    /// <summary>Every generation has one update under way at any time.</summary>
    private static async Task<Updates> SaturatedAsync(Updates updates, TimeSpan duration)
    {
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, updates.Jobs.Count).Select(job => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                await updates.UpdateAsync(job);
            }
        })));
        return updates;
    }

    // A line each: user, seq, when it began, when the call was over.
    private static string Text(Updates updates) => string.Join('\n', updates.Done.Select(
        update => string.Create(CultureInfo.InvariantCulture, $"{update.UserId} {update.Seq} {update.Began} {update.Ended}")));

    private sealed class Updates(RunningJobs jobs, ProcessorRegistry processors)
    {
        public IReadOnlyList<RunningJob> Jobs { get; } = jobs.Snapshot();

        public ConcurrentQueue<(string UserId, long Seq, long Began, long Ended)> Done { get; } = [];

        public async Task UpdateAsync(int number)
        {
            var job = Jobs[number % Jobs.Count];
            var began = Stopwatch.GetTimestamp();
            var update = await processors.Find(job.Generation.Task).UpdateStatusAsync(
                job, GenerationStatus.Processing, new StatusDetails { Progress = number % 100 });
            Done.Enqueue((update.UserId, update.Seq!.Value, began, Stopwatch.GetTimestamp()));
        }
    }

    private sealed class EndlessProvider : IGenerationProvider
    {
        public async Task<ProviderResult> GenerateAsync(ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            throw new UnreachableException();
        }
    }
}
