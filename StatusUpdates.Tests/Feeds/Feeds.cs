using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Feeds;

/// <summary>A hub over a log and a channel in memory, and a clock that a test moves.</summary>
internal sealed class Feeds : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public Feeds(Action<FeedOptions>? configure = null)
    {
        var options = new FeedOptions();
        configure?.Invoke(options);
        Context = new FeedContext(
            Log,
            Options.Create(options),
            Time,
            new FeedMetrics(_services.GetRequiredService<IMeterFactory>()),
            new DatabaseWatch(NullLogger<DatabaseWatch>.Instance),
            Messaging);
        Hub = new FeedHub(Context, Channel, NullLogger<FeedHub>.Instance);
        Sweeper = new FeedSweeper(Hub, Context, NullLogger<FeedSweeper>.Instance);
    }

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
        Type = GenerationType.ProductCard,
        Status = GenerationStatus.Processing,
        Timestamp = timestamp,
        Seq = seq,
    };

    public Task<FeedCursor> OpenAsync(string userId, long? since = null, string? generationId = null, int maxReadBytes = 8192) =>
        OpenAsync(userId, since is { } seq ? new LogPosition(seq) : null, generationId, maxReadBytes);

    public Task<FeedCursor> OpenAsync(string userId, LogPosition? since, string? generationId = null, int maxReadBytes = 8192) =>
        Hub.OpenAsync(new FeedRequest(userId, since, generationId, maxReadBytes), TestTime.Token);

    /// <summary>Commits an update and brings it.</summary>
    public StatusUpdate Publish(string userId, string generationId = "gen-1")
    {
        var update = Log.Append(userId, generationId);
        Channel.Bring(update);
        return update;
    }

    public async Task SweepAsync()
    {
        await Sweeper.RunOnceAsync(TestTime.Token);
        await SettleAsync();
    }

    /// <summary>Lets the wait for predecessors pass, and the repairs run to their end.</summary>
    public async Task SettleAsync()
    {
        var feeds = new List<UserFeed>();
        Hub.CopyTo(feeds);
        foreach (var feed in feeds)
        {
            while (feed.Repair is { IsCompleted: false } repair)
            {
                Time.Advance(Context.Options.ReorderWait);

                // Whoever it wakes may want another one at once, whose wait has not passed yet.
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
    }
}
