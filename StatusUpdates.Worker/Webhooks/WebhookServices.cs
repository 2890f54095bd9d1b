using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Worker.Webhooks;

internal static class WebhookServices
{
    /// <summary>Adds the delivery to webhooks; needs the data side and messaging.</summary>
    public static void AddWebhookDelivery(this IHostApplicationBuilder builder)
    {
        builder.AddWebhookSecrets();
        builder.AddWebhookAddresses();
        builder.Services.AddSectionOptions<DeliveryOptions, DeliveryOptionsValidator>(DeliveryOptions.SectionName);
        builder.Services.AddSingleton<IValidateOptions<DeliveryOptions>>(new DeliveryOptions());
        builder.Services.AddSingleton<DeliveryStore>();
        builder.Services.AddSingleton<DeliveryGate>();
        builder.Services.AddSingleton<DeliveryCourier>();
        builder.Services.AddSingleton(services => ActivatorUtilities.CreateInstance<WebhookSender>(
            services,
            new HttpMessageInvoker(WebhookHttp.CreateHandler(
                services.GetRequiredService<AddressPolicy>(), services.GetRequiredService<HostLookUps>()))));
        if (builder.Configuration.GetValue($"{DeliveryOptions.SectionName}:{nameof(DeliveryOptions.Enabled)}", true))
        {
            builder.AddDurableCursors<WebhookConsumer>();
        }
    }
}
