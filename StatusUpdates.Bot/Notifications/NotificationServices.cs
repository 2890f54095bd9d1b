using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Bot.Results;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Bot.Notifications;

internal static class NotificationServices
{
    /// <summary>Adds the telling of updates; needs the data side, messaging and the way to Telegram.</summary>
    public static void AddNotifications(this IHostApplicationBuilder builder)
    {
        builder.AddWebhookAddresses();
        builder.Services.AddSingleton<ResultFetcher>();
        builder.Services.AddSingleton<ResultSender>();
        builder.AddDurableCursors<ChatNotifier>();
    }
}
