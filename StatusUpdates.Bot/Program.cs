using Microsoft.Extensions.Hosting;
using StatusUpdates.Bot.Commands;
using StatusUpdates.Bot.Notifications;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Bot;

internal static class Program
{
    public static Task Main(string[] args) => Build(new() { Args = args }).RunAsync();

    /// <summary>The bot, ready to run. Tests add their settings by <paramref name="configure"/>, before anything is registered.</summary>
    public static IHost Build(HostApplicationBuilderSettings settings, Action<IHostApplicationBuilder>? configure = null)
    {
        var builder = Host.CreateApplicationBuilder(settings);
        configure?.Invoke(builder);

        builder.AddServiceDefaults();
        builder.AddRedisClient("redis");
        var database = builder.AddStatusDatabase("statusdb");
        builder.AddNpgsqlDbContext<StatusDbContext>("statusdb", configureDbContextOptions: database.Configure);
        builder.AddStatusMessaging();

        builder.AddTelegram();
        builder.AddCommands();
        builder.AddNotifications();
        return builder.Build();
    }
}
