using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Egress;
using StatusUpdates.Webhooks.Deliveries;
using StatusUpdates.Webhooks.Keys;
using StatusUpdates.Webhooks.Registration;
using StatusUpdates.Webhooks.Replays;

namespace StatusUpdates.Webhooks;

/// <summary>Registers the two sides of webhooks; both need the services of StatusUpdates.Data.</summary>
public static class WebhookServices
{
    /// <summary>Adds what registers, changes, lists, tests and replays webhooks.</summary>
    /// <exception cref="InvalidOperationException">A certificate cannot be read: the message names the setting.</exception>
    public static void AddWebhookRegistration(this IHostApplicationBuilder builder)
    {
        builder.AddCommon();
        builder.Services.AddSingleton<WebhookStore>();
        builder.Services.AddSingleton<ReplayStore>();
        builder.Services.AddScoped<WebhookQueries>();
    }

    /// <summary>Adds delivery; also needs the messaging services.</summary>
    /// <exception cref="InvalidOperationException">A certificate cannot be read: the message names the setting.</exception>
    public static void AddWebhookDelivery(this IHostApplicationBuilder builder)
    {
        builder.AddCommon();
        builder.Services.AddSingleton<DeliveryStore>();
        builder.Services.AddSingleton<DeliveryGate>();
        builder.Services.AddSingleton<DeliveryCourier>();
        builder.Services.AddSingleton(services => ActivatorUtilities.CreateInstance<WebhookSender>(
            services,
            new HttpMessageInvoker(EgressHttp.CreateHandler(
                services.GetRequiredService<AddressPolicy>(), services.GetRequiredService<HostLookups>()))));
        if (builder.Configuration.GetValue($"{WebhookOptions.SectionName}:{nameof(WebhookOptions.Delivery)}:{nameof(WebhookDeliveryOptions.Enabled)}", true))
        {
            builder.AddDurableCursors<WebhookConsumer>();
        }
    }

    private static void AddCommon(this IHostApplicationBuilder builder)
    {
        builder.AddWebhookSecrets();
        builder.AddEgress();

        // Before the section is read, which overrides this.
        builder.Services.AddOptions<WebhookOptions>().Configure<IHostEnvironment>(
            (options, environment) => options.AllowHttp = options.AllowsAnyPort = environment.IsDevelopment());
        builder.Services.AddSectionOptions<WebhookOptions, WebhookOptionsValidator>(WebhookOptions.SectionName);
        builder.Services.AddSingleton(services => services.GetRequiredService<IOptions<WebhookOptions>>().Value.ToPolicy());
    }
}
