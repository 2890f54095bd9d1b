using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Messaging;

/// <summary>Registration of the package.</summary>
public static class MessagingServices
{
    /// <summary>
    /// Adds <see cref="StatusPublisher"/> and <see cref="StatusSubscriber"/> over the registered <c>IConnectionMultiplexer</c>, with
    /// settings from the section <c>StatusMessaging</c>.
    /// </summary>
    public static IHostApplicationBuilder AddStatusMessaging(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<StatusMessagingOptions>().BindConfiguration(StatusMessagingOptions.SectionName).ValidateOnStart();
        builder.Services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<StatusMessagingOptions>, StatusMessagingOptionsValidator>());
        builder.Services.TryAddSingleton(services => services.GetRequiredService<IOptions<StatusMessagingOptions>>().Value);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.TryAddSingleton<MessageSeal>();
        builder.Services.TryAddSingleton<MessagingWatch>();
        builder.Services.TryAddSingleton<StatusPublisher>();
        builder.Services.TryAddSingleton<StatusSubscriber>();
        builder.Services.AddHostedService<SubscriptionTender>();
        builder.Services.AddHealthChecks().AddCheck<MessagingHealthCheck>(MessagingHealthCheck.Name);
        return builder;
    }
}
