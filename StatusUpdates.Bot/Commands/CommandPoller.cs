using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.Data.Telegram;
using Telegram.Bot.Exceptions;

namespace StatusUpdates.Bot.Commands;

/// <summary>
/// Asks Telegram for messages and answers them, one after the other. Of several instances one has the turn; the others wait for it to end.
/// A message is forgotten at Telegram once the next question names a higher number, hence only after it was handled.
/// </summary>
internal sealed partial class CommandPoller(
    TelegramTurns turns,
    TelegramApi api,
    SendPace pace,
    CommandHandler handler,
    TelegramLinkStore links,
    IOptions<TelegramOptions> options,
    TimeProvider time,
    ILogger<CommandPoller> logger) : BackgroundService
{
    /// <summary>How often the holder makes sure that it still has the turn. Telegram refuses a second asker meanwhile, so nothing comes twice.</summary>
    private static readonly TimeSpan TurnCheck = TimeSpan.FromSeconds(2);

    private const int MaxAnswerTries = 3;

    /// <summary>Takes the turn and keeps it until it is lost or the service stops.</summary>
    /// <returns>False if another instance has it.</returns>
    /// <exception cref="NpgsqlException">The database is away.</exception>
    internal async Task<bool> RunTurnAsync(CancellationToken stopping)
    {
        await using var turn = await turns.TryTakeAsync(options.Value.BotId, stopping);
        if (turn is null)
        {
            return false;
        }

        LogTurn();
        if (await links.CountOfOthersAsync(options.Value.BotId, stopping) is > 0 and var others)
        {
            LogOthers(others, options.Value.BotId);
        }

        using var held = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var watch = WatchAsync(turn, held);
        try
        {
            await PollAsync(held.Token, stopping);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            LogTurnLost();
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
                    await RunTurnAsync(stoppingToken);
                    failures = 0;
                    await Task.Delay(options.Value.StandbyInterval * (0.5 + (Random.Shared.NextDouble() / 2)), time, stoppingToken);
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    // Whatever it is: notifications go on, and commands wait at Telegram.
                    var pause = BackOff.After(++failures, options.Value);
                    BotTelemetry.PollFailed(startedAt, time.GetUtcNow(), e);
                    LogFailed(e is NpgsqlException ? null : e, pause, e.Message);
                    await Task.Delay(pause, time, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // What was not handled is asked for again, by whoever is next.
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
                var pause = e is ApiRequestException { ErrorCode: 429 } limited ? SendFailures.Of(limited).RetryAfter : BackOff.After(++failures, options.Value);
                BotTelemetry.PollFailed(startedAt, time.GetUtcNow(), e);
                LogNotAsked(pause, e.Message);
                await Task.Delay(pause, time, held);
            }
        }
    }

    // Goes through once begun, so that a stop leaves no command half answered; what it waits for is bounded, and is never one chat's own
    // limit: the others' commands would wait with it. The command is done then, only the answer is left out.
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

        if (!pace.TryTakeAnswer(message.Chat.Id))
        {
            LogNotAnswered(message.Chat.Id, "it asks too often");
            return;
        }

        var place = message.Place;
        for (var tries = 1; ; tries++)
        {
            await pace.WaitAsync(CancellationToken.None);
            var result = await api.SendTextAsync(place, answer, CancellationToken.None);
            if (result.Outcome == SendOutcome.Sent)
            {
                return;
            }

            if (result.Outcome == SendOutcome.ChatMoved && tries < MaxAnswerTries)
            {
                // The link follows by the message that says so.
                place = new(result.MovedTo);
                continue;
            }

            if (result.Outcome != SendOutcome.Failed || tries == MaxAnswerTries || held.IsCancellationRequested)
            {
                LogNotAnswered(message.Chat.Id, result.Reason);
                return;
            }

            var pause = BackOff.After(tries, options.Value);
            await Task.Delay(pause < options.Value.RequestTimeout ? pause : options.Value.RequestTimeout, time, held)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WatchAsync(TelegramTurn turn, CancellationTokenSource held)
    {
        while (!held.IsCancellationRequested)
        {
            await Task.Delay(TurnCheck, time, held.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var startedAt = time.GetUtcNow();
            try
            {
                // Without the token: a canceled statement would leave the connection in the middle of it.
                await turn.CheckAsync(CancellationToken.None);
            }
            catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
            {
                BotTelemetry.PollFailed(startedAt, time.GetUtcNow(), e);
                LogConnectionLost(e.Message);
                await held.CancelAsync();
            }
        }
    }

    [LoggerMessage(5401, LogLevel.Information, "This instance asks Telegram for commands")]
    private partial void LogTurn();

    [LoggerMessage(5402, LogLevel.Warning, "This instance asks Telegram for commands no more: another one may")]
    private partial void LogTurnLost();

    [LoggerMessage(5403, LogLevel.Warning, "The connection that holds the turn is lost: {Reason}")]
    private partial void LogConnectionLost(string reason);

    [LoggerMessage(5404, LogLevel.Warning, "Telegram was not asked for commands; the next try is in {Pause}: {Reason}")]
    private partial void LogNotAsked(TimeSpan pause, string reason);

    [LoggerMessage(5405, LogLevel.Warning, "Chat {ChatId} got no answer to its command: {Reason}")]
    private partial void LogNotAnswered(long chatId, string? reason);

    [LoggerMessage(5406, LogLevel.Warning, "Asking for commands failed; the next try is in {Pause}: {Reason}")]
    private partial void LogFailed(Exception? exception, TimeSpan pause, string reason);

    [LoggerMessage(5407, LogLevel.Warning, "The update {UpdateId} cannot be read and is passed over: {Reason}")]
    private partial void LogUnreadable(int updateId, string reason);

    [LoggerMessage(5408, LogLevel.Warning, "{Chats} chats are linked to other bots than {BotId}, whose token this is: here they are told nothing")]
    private partial void LogOthers(long chats, long botId);
}
