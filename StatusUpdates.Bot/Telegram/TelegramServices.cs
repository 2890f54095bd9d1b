using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Bot.Telegram;

internal static class TelegramServices
{
    /// <summary>Adds the way to Telegram.</summary>
    public static void AddTelegram(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSectionOptions<TelegramOptions, TelegramOptionsValidator>(TelegramOptions.SectionName);
        builder.Services.AddSingleton<TelegramApi>();
        builder.Services.AddSingleton<SendPace>();
    }
}
