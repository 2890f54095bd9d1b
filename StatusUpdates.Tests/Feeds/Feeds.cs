using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Feeds;

/// <summary>A hub with an in-memory log and channel, and a clock that the test advances.</summary>
internal sealed class Feeds : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly LoggerFactory _loggers = new();

    public Feeds(Action<FeedOptions>? configure = null)
    {
        var options = new FeedOptions();
        configure?.Invoke(options);
        _loggers.AddProvider(DatabaseLogs);
        Context = new FeedContext(
            Log,
            Options.Create(options),
            Time,
            new FeedMetrics(_services.GetRequiredService<IMeterFactory>()),
            new DatabaseWatch(_loggers.CreateLogger<DatabaseWatch>()),
            Messaging);
        Hub = new FeedHub(Context, Channel, NullLogger<FeedHub>.Instance);
        Sweeper = new FeedSweeper(Hub, Context, NullLogger<FeedSweeper>.Instance);
    }

    /// <summary>What was logged about the database.</summary>
    public CollectedLogs DatabaseLogs { get; } = new();

    public MessagingWatch Messaging { get; } = new();

    public FakeLog Log { get; } = new();

    public FakeChannel Channel { get; } = new();

    public FakeTimeProvider Time { get; } = new();

    public FeedContext Context { get; }

    public FeedHub Hub { get; }

    public FeedSweeper Sweeper { get; }

    public static StatusUpdate Update(string userId, long? seq, string generationId = "gen-1", long timestamp = 1_700_000_000_000) => new()
    {
        GenerationId = generationId,
        UserId = userId,
        Type = "product_card",
        Status = GenerationStatus.Processing,
        Timestamp = timestamp,
        Seq = seq,
    };

    public Task<FeedCursor> OpenAsync(string userId, long? since = null, string? generationId = null, int maxReadBytes = 8192) =>
        OpenAsync(userId, since is { } seq ? new LogPosition(seq) : null, generationId, maxReadBytes);

    public Task<FeedCursor> OpenAsync(string userId, LogPosition? since, string? generationId = null, int maxReadBytes = 8192) =>
        Hub.OpenAsync(new FeedRequest(userId, since, generationId, maxReadBytes), TestTime.Token);

    /// <summary>Commits an update and delivers it.</summary>
    public StatusUpdate Publish(string userId, string generationId = "gen-1")
    {
        var update = Log.Append(userId, generationId);
        Channel.Deliver(update);
        return update;
    }

    public async Task SweepAsync()
    {
        await Sweeper.RunOnceAsync(TestTime.Token);
        await SettleAsync();
    }

    /// <summary>Lets the wait for predecessors pass and waits until the repairs are done.</summary>
    public async Task SettleAsync()
    {
        var feeds = new List<UserFeed>();
        Hub.CopyTo(feeds);
        foreach (var feed in feeds)
        {
            while (feed.Repair is { IsCompleted: false } repair)
            {
                Time.Advance(Context.Options.ReorderWait);

                // The code that it wakes may need another repair at once, whose wait has not passed yet.
                await Task.WhenAny(repair, Task.Delay(TimeSpan.FromMilliseconds(5)));
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Hub.DisposeAsync();
        Sweeper.Dispose();
        Context.Dispose();
        await _services.DisposeAsync();
        _loggers.Dispose();
    }
}
