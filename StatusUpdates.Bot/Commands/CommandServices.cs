using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Bot.Commands;

internal static class CommandServices
{
    /// <summary>Adds command handling; needs the services of StatusUpdates.Data, <c>AddChatLinks</c> and <c>AddTelegram</c>.</summary>
    public static void AddCommands(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<CommandHandler>();
        builder.Services.AddHostedService<CommandPoller>();
    }
}
