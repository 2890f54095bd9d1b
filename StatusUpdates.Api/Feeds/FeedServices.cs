using Microsoft.Extensions.DependencyInjection.Extensions;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

internal static class FeedServices
{
    /// <summary>Adds user feeds on the registered <c>StatusLog</c> and <c>StatusSubscriber</c>, and the sweep that keeps them complete.</summary>
    public static void AddFeeds(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSectionOptions<FeedOptions>(FeedOptions.SectionName);

        // TryAdd: tests register their own clock or channel, and other parts of this program the same clock and watch.
        services.TryAddSingleton(TimeProvider.System);
        services.AddMetrics();
        services.TryAddSingleton<IFeedLog, DatabaseFeedLog>();
        services.TryAddSingleton<IFeedChannel, RedisFeedChannel>();
        services.AddSingleton<FeedMetrics>();
        services.AddSingleton<DatabaseWatch>();
        services.TryAddSingleton<MessagingWatch>();
        services.AddSingleton<FeedContext>();
        services.AddSingleton<FeedHub>();

        // Also as itself, so that a caller can run one sweep at a time.
        services.AddSingleton<FeedSweeper>();
        services.AddHostedService(provider => provider.GetRequiredService<FeedSweeper>());
    }
}
