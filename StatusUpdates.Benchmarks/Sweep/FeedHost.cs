using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Sweep;

/// <summary>
/// The API's feeds over the real database and the real Redis, with waiting cursors in place of sockets, and the sweep to be switched on and
/// off: the difference is what the sweep costs, for more users than one process may have sockets.
/// </summary>
internal static class FeedHost
{
    private const int OpenAtOnce = 32;

    public static Task RunAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.AddServiceDefaults();
        builder.AddRedisClient("redis");
        builder.AddStatusDatabase("statusdb");
        builder.AddStatusMessaging();
        builder.AddFeeds();

        // What AddFeeds has just added is the sweep as a service that runs from the start; here it is told to.
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
            new ParallelOptions { MaxDegreeOfParallelism = OpenAtOnce, CancellationToken = cancellationToken },
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
