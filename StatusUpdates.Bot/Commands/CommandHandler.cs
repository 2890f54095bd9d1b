using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.Bot.Notifications;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.ChatLinks;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Bot.Commands;

/// <summary>
/// Carries out the command in a message and returns the answer. Telegram may deliver a message again after a crash: handling it twice has the
/// same effect as handling it once. Thread-safe.
/// </summary>
internal sealed partial class CommandHandler(
    TelegramLinkStore links, IServiceScopeFactory scopes, IOptions<TelegramOptions> options, ILogger<CommandHandler> logger)
{
    public const string Help =
        """
        I send you updates about your generations.
        /start <code> links this chat; the application gives you the code
        /status shows your latest generations
        /stop unlinks this chat
        """;

    public const string Explanation =
        "To link this chat, get a link code from the application and send it here as\n/start <code>\nA code works once, within 10 minutes.";

    public const string BadCode = "This code is not valid: it has already been used, or it has expired. Get a new one from the application.";
    public const string BadCodeWhileLinked = "This code is no longer valid. This chat is already linked and stays linked.";
    public const string Linked = "This chat is now linked: you will get updates about your generations here. Send /stop to unlink it.";
    public const string Unlinked = "This chat is no longer linked.";
    public const string NotLinked = "This chat is not linked.\n\n" + Explanation;
    public const string NoGenerations = "There are no generations yet.";
    public const string Failed = "Something went wrong. Please try again later.";

    private const int Latest = 5;
    private const int MaxNameLength = 255;

    private readonly long _botId = options.Value.BotId;

    /// <summary>Returns the answer to a message; null if it needs none.</summary>
    public async Task<string?> HandleAsync(IncomingMessage message, string botName, CancellationToken cancellationToken)
    {
        if (message is { MigrateToChatId: not null } or { MigrateFromChatId: not null })
        {
            await MoveLinkAsync(message.MigrateFromChatId ?? message.Chat.Id, message.MigrateToChatId ?? message.Chat.Id, cancellationToken);
            return null;
        }

        if (message.Text is not { } text)
        {
            return null;
        }

        if (Command.Parse(text, botName) is not { } command)
        {
            // In a group people talk to each other, and to other bots.
            return message.Chat.IsPrivate ? Help : null;
        }

        try
        {
            return command switch
            {
                { Name: "start", Argument: { } code } => await LinkAsync(message.Chat, message.Place, code, cancellationToken),
                { Name: "start" } => Explanation,
                { Name: "stop" } => await UnlinkAsync(message.Chat.Id, cancellationToken),
                { Name: "status" } => await DescribeAsync(message.Chat.Id, cancellationToken),

                // In a group it may be meant for another bot.
                _ => message.Chat.IsPrivate || command.IsAddressed ? Help : null,
            };
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Any failure: the sender gets an answer, and the commands of others do not wait.
            LogFailed(e is Npgsql.NpgsqlException ? null : e, command.Name, e.Message);
            return Failed;
        }
    }

    // Telegram reports the migration in both chats, and refuses messages to the old one with the new id: whichever comes first moves the link.
    private async Task MoveLinkAsync(long from, long to, CancellationToken cancellationToken)
    {
        try
        {
            await links.MoveAsync(_botId, from, to, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Any failure: the next message to the old chat reports the new id again, and the commands of others do not wait.
            LogFailed(e is Npgsql.NpgsqlException ? null : e, "migrate", e.Message);
        }
    }

    private async Task<string> LinkAsync(IncomingChat chat, ChatPlace place, string code, CancellationToken cancellationToken)
    {
        if (await links.LinkAsync(code, _botId, chat.Id, NameOf(chat), place.TopicId, cancellationToken) is not null)
        {
            LogLinked(chat.Id);
            return Linked;
        }

        // Also reached when a command is repeated after a crash.
        return await links.FindUserAsync(_botId, chat.Id, cancellationToken) is null ? BadCode : BadCodeWhileLinked;
    }

    private async Task<string> UnlinkAsync(long chatId, CancellationToken cancellationToken)
    {
        if (!await links.UnlinkAsync(chatId, null, _botId, cancellationToken))
        {
            return NotLinked;
        }

        BotTelemetry.CountUnlink("command");
        LogUnlinked(chatId);
        return Unlinked;
    }

    private async Task<string> DescribeAsync(long chatId, CancellationToken cancellationToken)
    {
        if (await links.FindUserAsync(_botId, chatId, cancellationToken) is not { } userId)
        {
            return NotLinked;
        }

        await using var scope = scopes.CreateAsyncScope();
        var latest = await scope.ServiceProvider.GetRequiredService<GenerationQueries>()
            .ListAsync(new GenerationFilter { UserId = userId, Limit = Latest }, cancellationToken);
        return latest.Items.Count == 0 ? NoGenerations : string.Join('\n', latest.Items.Select(Describe));
    }

    private static string Describe(Generation generation)
    {
        var progress = generation is { Status: GenerationStatus.Processing, Progress: { } percent } ? $", {percent}%" : "";
        return $"{NotificationText.TagOf(generation.Id)} {generation.Type}: {generation.Status.ToWireName()}{progress}";
    }

    private static string? NameOf(IncomingChat chat)
    {
        var name = chat.Title ?? (chat.Username is { } user ? $"@{user}" : $"{chat.FirstName} {chat.LastName}".Trim());
        return name.Length == 0 ? null : ProviderText.Clean(name, MaxNameLength);
    }

    [LoggerMessage(5301, LogLevel.Error, "The command {Command} failed: {Reason}")]
    private partial void LogFailed(Exception? exception, string command, string reason);

    [LoggerMessage(5302, LogLevel.Information, "Chat {ChatId} was linked")]
    private partial void LogLinked(long chatId);

    [LoggerMessage(5303, LogLevel.Information, "Chat {ChatId} was unlinked by command")]
    private partial void LogUnlinked(long chatId);
}
