using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StatusUpdates.ChatLinks;

namespace StatusUpdates.Bot.Telegram;

internal static class TelegramServices
{
    // What a stop takes besides the request under way: its wait for the rate limit, and storing that it was sent.
    private static readonly TimeSpan TimeToStore = TimeSpan.FromSeconds(15);

    /// <summary>Adds the client for Telegram and its rate limiter.</summary>
    public static void AddTelegram(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSectionOptions<TelegramOptions, TelegramOptionsValidator>(TelegramOptions.SectionName)
            .Validate(options => !string.IsNullOrEmpty(options.Token), TelegramOptions.TokenError);
        builder.Services.AddOptions<HostOptions>().PostConfigure<IOptions<TelegramOptions>>((host, telegram) =>
        {
            var needed = TelegramApi.FileTimeout(telegram.Value) + TimeToStore;
            host.ShutdownTimeout = needed > host.ShutdownTimeout ? needed : host.ShutdownTimeout;
        });

        builder.Services.AddSingleton<TelegramApi>();
        builder.Services.AddSingleton<SendRateLimiter>();
    }
}
