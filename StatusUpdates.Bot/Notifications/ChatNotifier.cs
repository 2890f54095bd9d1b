using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.Bot.Results;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.ChatLinks;
using StatusUpdates.Data.Cursors;

namespace StatusUpdates.Bot.Notifications;

/// <summary>Notifies chats of what happens to their users' generations, with a durable cursor over the user's log for each chat.</summary>
internal sealed class ChatNotifier(
    TelegramApi api,
    SendRateLimiter rateLimiter,
    ResultSender results,
    TelegramLinkStore links,
    IOptions<TelegramOptions> options,
    TimeProvider time,
    ILogger<ChatRun> logger) : ICursorConsumer
{
    public string Kind => TelegramLinkStore.CursorKind(options.Value.BotId);

    public Task RunAsync(HeldCursor cursor, CancellationToken stopping) =>
        new ChatRun(api, rateLimiter, results, links, options.Value, time, logger, cursor, stopping).RunAsync();
}
