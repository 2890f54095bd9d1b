using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.ChatLinks;

/// <summary>Registers the links between Telegram chats and users; needs the services of StatusUpdates.Data.</summary>
public static class ChatLinkServices
{
    /// <summary>Adds <see cref="TelegramLinkStore"/>.</summary>
    public static void AddChatLinks(this IHostApplicationBuilder builder) => builder.Services.AddSingleton<TelegramLinkStore>();

    /// <summary>Adds <see cref="TelegramLinkCodes"/>.</summary>
    public static void AddLinkCodes(this IHostApplicationBuilder builder) => builder.Services.AddSingleton<TelegramLinkCodes>();
}
