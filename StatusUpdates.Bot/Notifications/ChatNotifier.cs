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

    public TelegramApi Api => api;

    public SendRateLimiter RateLimiter => rateLimiter;

    public ResultSender Results => results;

    public TelegramLinkStore Links => links;

    public TelegramOptions Options => options.Value;

    public TimeProvider Time => time;

    public ILogger Logger => logger;

    public Task RunAsync(HeldCursor cursor, CancellationToken stopping) => new ChatRun(this, cursor, stopping).RunAsync();
}
