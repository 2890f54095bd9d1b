using Microsoft.Extensions.DependencyInjection.Extensions;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Feeds;

internal static class FeedServices
{
    /// <summary>Adds the user feeds over the registered <c>StatusLog</c> and <c>StatusSubscriber</c>, and the sweep that keeps them complete.</summary>
    public static void AddFeeds(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSectionOptions<FeedOptions, FeedOptionsValidator>(FeedOptions.SectionName);
        services.TryAddSingleton(TimeProvider.System);
        services.AddMetrics();
        services.TryAddSingleton<IFeedLog, DatabaseFeedLog>();
        services.TryAddSingleton<IFeedChannel, RedisFeedChannel>();
        services.AddSingleton<FeedMetrics>();
        services.AddSingleton<DatabaseWatch>();
        services.TryAddSingleton<MessagingWatch>();
        services.AddSingleton<FeedContext>();
        services.AddSingleton<FeedHub>();
        services.AddSingleton<FeedSweeper>();
        services.AddHostedService(provider => provider.GetRequiredService<FeedSweeper>());
    }
}
