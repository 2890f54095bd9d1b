using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Bot.Telegram;

internal static class TelegramServices
{
    // What a stop takes beside the request that is under way: the wait for its place, and storing that it was sent.
    private static readonly TimeSpan TimeToStore = TimeSpan.FromSeconds(15);

    /// <summary>Adds the way to Telegram.</summary>
    public static void AddTelegram(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSectionOptions<TelegramOptions, TelegramOptionsValidator>(TelegramOptions.SectionName);
        builder.Services.AddOptions<HostOptions>().PostConfigure<IOptions<TelegramOptions>>((host, telegram) =>
        {
            var needed = TelegramApi.FileTimeout(telegram.Value) + TimeToStore;
            host.ShutdownTimeout = needed > host.ShutdownTimeout ? needed : host.ShutdownTimeout;
        });

        builder.Services.AddSingleton<TelegramApi>();
        builder.Services.AddSingleton<SendPace>();
    }
}
