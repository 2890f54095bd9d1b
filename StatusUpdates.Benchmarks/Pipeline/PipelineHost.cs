using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Processors;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Benchmarks.Pipeline;

/// <summary>
/// The worker with providers that never finish. On an HTTP request it calls <c>UpdateStatusAsync</c> for its running jobs, at a given rate or as
/// fast as the calls return, and responds with the time at which each call started.
/// </summary>
internal static class PipelineHost
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(2);

    public static Task RunAsync()
    {
        var builder = WorkerBuilder.Create<EndlessProvider>();
        builder.AddProcessors();
        var app = builder.Build();
        app.MapGet("/ready", () => "ready");
        app.MapPost("/jobs", (RunningJobs jobs) => jobs.Snapshot().Count.ToString(CultureInfo.InvariantCulture));
        app.MapPost("/steady", async (RunningJobs jobs, AttemptWriter writer, int rate, int milliseconds) =>
            Text(await SteadyAsync(new Updates(jobs, writer), rate, TimeSpan.FromMilliseconds(milliseconds))));
        app.MapPost("/saturated", async (RunningJobs jobs, AttemptWriter writer, int milliseconds) =>
            Text(await SaturatedAsync(new Updates(jobs, writer), TimeSpan.FromMilliseconds(milliseconds))));
        return app.RunAsync();
    }

    /// <summary>Open loop: starts calls when they are due, however long earlier ones take.</summary>
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

    /// <summary>Every generation has one update in flight at any time.</summary>
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

    // One line per call: user, seq, start time, end time.
    private static string Text(Updates updates) => string.Join('\n', updates.Done.Select(
        update => string.Create(CultureInfo.InvariantCulture, $"{update.UserId} {update.Seq} {update.Started} {update.Ended}")));

    private sealed class Updates(RunningJobs jobs, AttemptWriter writer)
    {
        public IReadOnlyList<RunningJob> Jobs { get; } = jobs.Snapshot();

        public ConcurrentQueue<(string UserId, long Seq, long Started, long Ended)> Done { get; } = [];

        public async Task UpdateAsync(int number)
        {
            var job = Jobs[number % Jobs.Count];
            var started = Stopwatch.GetTimestamp();
            var update = await writer.UpdateStatusAsync(job, job.ChangeTo(GenerationStatus.Processing) with { Progress = number % 100 });
            Done.Enqueue((update.UserId, update.Seq!.Value, started, Stopwatch.GetTimestamp()));
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
