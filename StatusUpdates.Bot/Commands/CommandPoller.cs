using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.ChatLinks;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;
using Telegram.Bot.Exceptions;

namespace StatusUpdates.Bot.Commands;

/// <summary>
/// Polls Telegram for messages and answers them, one at a time. Telegram gives each to only one poller: of several instances, the one that holds a lock
/// polls, and the others wait for the lock. Telegram drops a message once a later poll asks for a higher update id, hence only after it was handled.
/// </summary>
internal sealed partial class CommandPoller(
    StatusDatabase database,
    TelegramApi api,
    SendRateLimiter rateLimiter,
    CommandHandler handler,
    TelegramLinkStore links,
    IOptions<TelegramOptions> options,
    TimeProvider time,
    ILogger<CommandPoller> logger) : BackgroundService
{
    /// <summary>How often the holder checks its lock. Telegram refuses a second poller meanwhile, so no message is delivered twice.</summary>
    private static readonly TimeSpan LockCheckInterval = TimeSpan.FromSeconds(2);

    private const int MaxAnswerAttempts = 3;

    /// <summary>The lock of a bot's poller.</summary>
    internal static long LockOf(long botId) => SessionLock.TelegramCommands ^ (botId << 8);

    /// <summary>Takes the lock and polls until it is lost or the service stops.</summary>
    /// <returns>False if another instance holds it.</returns>
    /// <exception cref="NpgsqlException">The database is unavailable.</exception>
    internal async Task<bool> TryPollAsync(CancellationToken stopping)
    {
        await using var pollLock = await SessionLock.TryTakeAsync(database, LockOf(options.Value.BotId), stopping);
        if (pollLock is null)
        {
            return false;
        }

        LogPolling();
        if (await links.CountLinksOfOtherBotsAsync(options.Value.BotId, stopping) is > 0 and var others)
        {
            LogOtherBots(others, options.Value.BotId);
        }

        using var held = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var watch = WatchAsync(pollLock, held);
        try
        {
            await PollAsync(held.Token, stopping);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            LogLockLost();
        }
        finally
        {
            await held.CancelAsync();
            await watch;
        }

        return true;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            for (var failures = 0; ;)
            {
                var startedAt = time.GetUtcNow();
                try
                {
                    await TryPollAsync(stoppingToken);
                    failures = 0;
                    await Task.Delay(Backoff.Spread(options.Value.StandbyInterval), time, stoppingToken);
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    // Any failure: notifications continue, and commands wait at Telegram.
                    var pause = options.Value.Backoff.After(++failures);
                    BotTelemetry.PollFailed(startedAt, time.GetUtcNow(), e);
                    LogFailed(e is NpgsqlException ? null : e, pause, e.Message);
                    await Task.Delay(pause, time, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The next poller gets what was not handled.
        }
    }

    private async Task PollAsync(CancellationToken held, CancellationToken stopping)
    {
        string? name = null;
        var offset = 0;
        for (var failures = 0; ; held.ThrowIfCancellationRequested())
        {
            var startedAt = time.GetUtcNow();
            try
            {
                name ??= await api.GetNameAsync(held);
                foreach (var update in await api.GetUpdatesAsync(offset, held))
                {
                    await AnswerAsync(update, name, held);
                    offset = update.Id + 1;
                    held.ThrowIfCancellationRequested();
                }

                failures = 0;
            }
            catch (RequestException e)
            {
                var pause = e is ApiRequestException { ErrorCode: 429 } limited ? SendFailures.Of(limited).RetryAfter : options.Value.Backoff.After(++failures);
                BotTelemetry.PollFailed(startedAt, time.GetUtcNow(), e);
                LogPollFailed(pause, e.Message);
                await Task.Delay(pause, time, held);
            }
        }
    }

    // Runs to its end once begun, because a stop must not leave a command half done. Its waits are bounded, and it never waits for one chat's rate
    // limit, which would delay the commands of others: then the command is done, but not answered.
    private async Task AnswerAsync(IncomingUpdate update, string name, CancellationToken held)
    {
        if (update.Fault is { } fault)
        {
            LogUnreadable(update.Id, fault);
        }

        using var span = update.Message is null ? null : BotTelemetry.StartAnswer();
        if (update.Message is not { } message || await handler.HandleAsync(message, name, CancellationToken.None) is not { } answer)
        {
            return;
        }

        if (!rateLimiter.TryTakeAnswer(message.Chat.Id))
        {
            LogNotAnswered(message.Chat.Id, "it sends commands too often");
            return;
        }

        var place = message.Place;
        for (var attempt = 1; ; attempt++)
        {
            await rateLimiter.WaitAsync(CancellationToken.None);
            var result = await api.SendTextAsync(place, answer, CancellationToken.None);
            if (result.Outcome == SendOutcome.Sent)
            {
                return;
            }

            if (result.Outcome == SendOutcome.ChatMoved && attempt < MaxAnswerAttempts)
            {
                // Telegram's message about the migration moves the link.
                place = new(result.MovedTo);
                continue;
            }

            if (result.Outcome != SendOutcome.Failed || attempt == MaxAnswerAttempts || held.IsCancellationRequested)
            {
                LogNotAnswered(message.Chat.Id, result.Reason);
                return;
            }

            var pause = options.Value.Backoff.After(attempt);
            await Task.Delay(pause < options.Value.RequestTimeout ? pause : options.Value.RequestTimeout, time, held)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WatchAsync(SessionLock pollLock, CancellationTokenSource held)
    {
        while (!held.IsCancellationRequested)
        {
            await Task.Delay(LockCheckInterval, time, held.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var startedAt = time.GetUtcNow();
            try
            {
                // Without the token: canceling would leave the connection in the middle of a statement.
                await using var check = new NpgsqlCommand("SELECT 1", pollLock.Connection);
                await check.ExecuteScalarAsync(CancellationToken.None);
            }
            catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
            {
                BotTelemetry.PollFailed(startedAt, time.GetUtcNow(), e);
                LogConnectionLost(e.Message);
                await held.CancelAsync();
            }
        }
    }

    [LoggerMessage(5401, LogLevel.Information, "This instance now polls Telegram for commands")]
    private partial void LogPolling();

    [LoggerMessage(5402, LogLevel.Warning, "This instance no longer polls Telegram for commands; another one may")]
    private partial void LogLockLost();

    [LoggerMessage(5403, LogLevel.Warning, "The connection that holds the polling lock was lost: {Reason}")]
    private partial void LogConnectionLost(string reason);

    [LoggerMessage(5404, LogLevel.Warning, "A poll of Telegram failed; the next attempt is in {Pause}: {Reason}")]
    private partial void LogPollFailed(TimeSpan pause, string reason);

    [LoggerMessage(5405, LogLevel.Warning, "Chat {ChatId} got no answer to its command: {Reason}")]
    private partial void LogNotAnswered(long chatId, string? reason);

    [LoggerMessage(5406, LogLevel.Warning, "Polling for commands failed; the next attempt is in {Pause}: {Reason}")]
    private partial void LogFailed(Exception? exception, TimeSpan pause, string reason);

    [LoggerMessage(5407, LogLevel.Warning, "Update {UpdateId} cannot be parsed and is skipped: {Reason}")]
    private partial void LogUnreadable(int updateId, string reason);

    [LoggerMessage(5408, LogLevel.Warning, "{Chats} chats are linked to other bots than {BotId}, the bot of the configured token; they get no messages from this bot")]
    private partial void LogOtherBots(long chats, long botId);
}
