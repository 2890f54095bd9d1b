using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Data;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Sweep;

/// <summary>
/// The API's feeds with a real database and a real Redis, but with waiting cursors instead of sockets, and a sweep that can be turned on and off:
/// the difference is the cost of the sweep, for more users than one process may have sockets.
/// </summary>
internal static class FeedHost
{
    private const int MaxConcurrentOpens = 32;

    public static Task RunAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.AddServiceDefaults();
        builder.AddRedisClient("redis");
        builder.AddStatusDatabase("statusdb");
        builder.AddStatusMessaging();
        builder.AddFeeds();

        // The last hosted service that AddFeeds added is the sweep. Here it does not run from the start but on request.
        builder.Services.Remove(builder.Services.Last(service => service.ServiceType == typeof(IHostedService)));
        var app = builder.Build();
        var cursors = new List<(FeedCursor Cursor, Task<FeedRead> Read)>();
        app.MapGet("/ready", () => "ready");
        app.MapPost("/open", (int users, FeedHub hub, CancellationToken token) => OpenAsync(users, hub, cursors, token));
        app.MapPost("/start", (FeedSweeper sweeper) => sweeper.StartAsync(CancellationToken.None));
        app.MapPost("/stop", (FeedSweeper sweeper) => sweeper.StopAsync(CancellationToken.None));
        app.MapPost("/once", OnceAsync);
        app.MapPost("/check", () => cursors.TrueForAll(one => !one.Read.IsCompleted) ? Results.Ok() : Results.Conflict());
        return app.RunAsync();
    }

    private static async Task OpenAsync(
        int users, FeedHub hub, List<(FeedCursor Cursor, Task<FeedRead> Read)> cursors, CancellationToken cancellationToken) =>
        await Parallel.ForEachAsync(
            Enumerable.Range(0, users),
            new ParallelOptions { MaxDegreeOfParallelism = MaxConcurrentOpens, CancellationToken = cancellationToken },
            async (i, token) =>
            {
                var cursor = await hub.OpenAsync(new FeedRequest($"user-{i}", null, null, 8192), token);
                var read = cursor.ReadAsync(CancellationToken.None).AsTask();
                lock (cursors)
                {
                    cursors.Add((cursor, read));
                }
            });

    private static async Task<string> OnceAsync(FeedSweeper sweeper, TimeProvider time, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        await sweeper.RunOnceAsync(cancellationToken);
        return time.GetElapsedTime(started).TotalMilliseconds.ToString(CultureInfo.InvariantCulture);
    }
}
