using Microsoft.Extensions.DependencyInjection.Extensions;

namespace StatusUpdates.Api.Feeds;

internal static class FeedServices
{
    /// <summary>Adds user feeds on the registered <c>StatusLog</c> and <c>StatusSubscriber</c>, and the sweep that keeps them complete.</summary>
    public static void AddFeeds(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSectionOptions<FeedOptions>(FeedOptions.SectionName);

        // TryAdd: tests register their own channel.
        services.TryAddSingleton<IFeedChannel, RedisFeedChannel>();
        services.AddSingleton<IFeedLog, DatabaseFeedLog>();
        services.AddSingleton<FeedMetrics>();
        services.AddSingleton<DatabaseWatch>();
        services.AddSingleton<FeedContext>();
        services.AddSingleton<FeedHub>();

        // Also as itself, so that a caller can run one sweep at a time.
        services.AddSingleton<FeedSweeper>();
        services.AddHostedService(provider => provider.GetRequiredService<FeedSweeper>());
    }
}
