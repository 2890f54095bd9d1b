using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Bot.Commands;

internal static class CommandServices
{
    /// <summary>Adds the answering of commands; needs the data side and the way to Telegram.</summary>
    public static void AddCommands(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<CommandHandler>();
        builder.Services.AddHostedService<CommandPoller>();
    }
}
