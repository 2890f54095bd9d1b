using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace StatusUpdates.Messaging;

/// <summary>Registers this package's services.</summary>
public static class MessagingServices
{
    /// <summary>
    /// Adds <see cref="StatusPublisher"/> and <see cref="StatusSubscriber"/> over the registered <c>IConnectionMultiplexer</c>, with
    /// settings from the section <c>StatusMessaging</c>. If <c>ConfigurationOptions</c> are registered as well, as Aspire's <c>AddRedisClient</c> does,
    /// the publisher creates a second connection from them (<see cref="BroadcastConnection"/>).
    /// </summary>
    public static IHostApplicationBuilder AddStatusMessaging(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSectionOptions<StatusMessagingOptions, StatusMessagingOptionsValidator>(StatusMessagingOptions.SectionName);
        builder.Services.TryAddSingleton(services => services.GetRequiredService<IOptions<StatusMessagingOptions>>().Value);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.TryAddSingleton<MessageSeal>();
        builder.Services.TryAddSingleton<MessagingWatch>();
        builder.Services.TryAddSingleton<BroadcastConnection>();
        builder.Services.TryAddSingleton(CreatePublisher);
        builder.Services.TryAddSingleton<StatusSubscriber>();
        builder.Services.AddHostedService<ResubscribeService>();
        builder.Services.AddHealthChecks().AddCheck<MessagingHealthCheck>(MessagingHealthCheck.Name);
        return builder;
    }

    private static StatusPublisher CreatePublisher(IServiceProvider services) => new(
        services.GetRequiredService<IConnectionMultiplexer>(),
        services.GetRequiredService<StatusMessagingOptions>(),
        services.GetService<ILogger<StatusPublisher>>(),
        services.GetRequiredService<MessageSeal>(),
        services.GetRequiredService<MessagingWatch>())
    {
        Broadcast = services.GetRequiredService<BroadcastConnection>(),
    };
}
