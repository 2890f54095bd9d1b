using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Bot.Results;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Egress;
using StatusUpdates.ResultStore;

namespace StatusUpdates.Bot.Notifications;

internal static class NotificationServices
{
    /// <summary>Adds notifications, with the results that are sent; needs the services of StatusUpdates.Data, messaging, <c>AddChatLinks</c> and <c>AddTelegram</c>.</summary>
    public static void AddNotifications(this IHostApplicationBuilder builder)
    {
        builder.AddEgress();
        builder.AddResultStore();
        builder.Services.AddSingleton<ResultFetcher>();
        builder.Services.AddSingleton<ResultSender>();
        builder.AddDurableCursors<ChatNotifier>();
    }
}
