using Microsoft.Extensions.Hosting;
using StatusUpdates.Bot.Commands;
using StatusUpdates.Bot.Notifications;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.ChatLinks;
using StatusUpdates.Data;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.ServiceDefaults.Hosting;

namespace StatusUpdates.Bot;

internal static class Program
{
    public static Task<int> Main(string[] args) => ServiceRun.RunAsync(() => Build(new() { Args = args }));

    /// <summary>The bot, ready to run. Tests add their settings through <paramref name="configure"/>, before anything is registered.</summary>
    public static IHost Build(HostApplicationBuilderSettings settings, Action<IHostApplicationBuilder>? configure = null)
    {
        var builder = Host.CreateApplicationBuilder(settings);
        configure?.Invoke(builder);

        builder.AddServiceDefaults();
        builder.AddHealthListener();
        builder.AddRedisClient("redis");
        var database = builder.AddStatusDatabase("statusdb");
        builder.AddNpgsqlDbContext<StatusDbContext>("statusdb", configureDbContextOptions: database.Configure);
        builder.AddStatusMessaging();

        builder.AddChatLinks();
        builder.AddTelegram();
        builder.AddCommands();
        builder.AddNotifications();
        return builder.Build();
    }
}
