using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Telegram;
using StatusUpdates.Messaging;

namespace StatusUpdates.Bot.Notifications;

/// <summary>
/// Tells one chat what is due, entry by entry. A change of status is a message; what follows under the same status (progress, another
/// attempt) is written into it. After each acknowledgement it is stored what was sent, so that a crash repeats at most the one request
/// whose acknowledgement was lost. Nothing is left out or overtaken because Telegram is away: the cursor stays, and comes back later.
/// </summary>
internal sealed partial class ChatRun(ChatNotifier notifier, HeldCursor cursor, CancellationToken stopping)
{
    private const int PageSize = 100;

    // After so many failures of a result in a row it is the result that Telegram fails by, if it does answer other questions.
    private const int FailuresOfWay = 5;

    // Who waited no longer need not look whether the chat is still to be told.
    private static readonly TimeSpan ShortWait = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan NotAllowedPause = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan MaxNotAllowedPause = TimeSpan.FromHours(1);

    private readonly long _chatId = TelegramLinkStore.ChatOf(cursor.Owner);
    private readonly ILogger _logger = notifier.Logger;
    private ChatState _state = ChatState.Parse(cursor.State);
    private ChatPlace _place = new(TelegramLinkStore.ChatOf(cursor.Owner));

    // The last entry that is done with; stored with the next save.
    private LogPosition _position = cursor.Position;

    /// <summary>Runs until nothing is due, Telegram asks for a pause, or the service stops.</summary>
    public async Task RunAsync()
    {
        while (await TellPageAsync())
        {
        }
    }

    private async Task<bool> TellPageAsync()
    {
        var page = await cursor.ReadAsync(PageSize, cursor.Lost);
        var continues = page.Continues(cursor.Position);
        if (continues && page.Items.Count == 0)
        {
            await ReleaseAsync();
            return false;
        }

        var (topicId, messages) = await notifier.Links.FindChatAsync(
            notifier.Options.BotId, _chatId, page.Items.Select(update => update.GenerationId).ToHashSet(StringComparer.Ordinal), cursor.Lost);
        _place = new(_chatId, topicId);
        if (!continues)
        {
            return await ResyncAsync(page.Bounds);
        }

        var last = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var update in page.Items)
        {
            last[update.GenerationId] = update.Seq!.Value;
        }

        foreach (var update in page.Items)
        {
            if (!await TellAsync(update, messages, isLatest: last[update.GenerationId] == update.Seq))
            {
                return false;
            }
        }

        if (_position != cursor.Position)
        {
            await SaveAsync();
        }

        return true;
    }

    private async Task<bool> TellAsync(StatusUpdate update, Dictionary<string, ChatMessage> messages, bool isLatest)
    {
        using var span = BotTelemetry.StartNotify(update);
        var seq = update.Seq!.Value;
        var urls = update.Status == GenerationStatus.Completed ? update.Metadata?.ResultUrls ?? [] : [];
        var sent = _state.Seq == seq ? _state.Sent : 0;
        if (sent == 0)
        {
            var isKnown = messages.TryGetValue(update.GenerationId, out var message) && message.Status == update.Status.ToWireName();
            if (isKnown && (!isLatest || message.MessageId == 0))
            {
                // What follows says more; or the message's number is not known.
                _position = update.Position!.Value;
                return true;
            }

            var text = NotificationText.Of(update);
            var result = await RequestAsync(token => isKnown
                ? notifier.Api.EditTextAsync(_chatId, message.MessageId, text, token)
                : notifier.Api.SendTextAsync(_place, text, token));
            if (result is not { } outcome)
            {
                return false;
            }

            CursorEffect? effect = null;
            if (!isKnown && outcome.Outcome == SendOutcome.Sent)
            {
                effect = MessageEffects.Sent(_chatId, update, outcome.MessageId);
                messages[update.GenerationId] = new ChatMessage(outcome.MessageId, update.Status.ToWireName());
                BotTelemetry.Told(update, notifier.Time.GetUtcNow());
            }

            await PartDoneAsync(update, ++sent, urls.Count, effect);
        }

        while (sent <= urls.Count)
        {
            var url = urls[sent - 1];
            if (await RequestAsync(token => notifier.Results.SendAsync(_place, url, _state.WaysGivenUp, stopping, token), isResult: true) is null)
            {
                return false;
            }

            await PartDoneAsync(update, ++sent, urls.Count, null);
        }

        return true;
    }

    private async Task<bool> ResyncAsync(LogBounds bounds)
    {
        LogResync(cursor.Owner, cursor.Position.Seq, bounds.Oldest, bounds.Last);
        if (await RequestAsync(token => notifier.Api.SendTextAsync(_place, NotificationText.Resync, token)) is null)
        {
            return false;
        }

        BotTelemetry.CountResync();
        _position = bounds.Head;
        _state = new ChatState();
        await SaveAsync();
        return true;
    }

    /// <summary>One request, when its turn has come.</summary>
    /// <returns>Its outcome if things go on, also without it; null if they end here: then the cursor is released, or gone.</returns>
    private async Task<SendResult?> RequestAsync(Func<CancellationToken, Task<SendResult>> send, bool isResult = false)
    {
        if (notifier.Pace.TryTake(_chatId) is { } wait)
        {
            await ReleaseAsync(wait);
            return null;
        }

        var started = notifier.Time.GetTimestamp();
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, cursor.Lost);
            await notifier.Pace.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await ReleaseAsync();
            return null;
        }

        if (notifier.Time.GetElapsedTime(started) > ShortWait)
        {
            // Its user may have changed meanwhile: then this tells, and nothing more is sent.
            await SaveAsync();
        }

        // Not ended by a stop: what is under way is finished, so that it is known whether it was sent.
        return await JudgeAsync(await send(cursor.Lost), isResult);
    }

    private async Task<SendResult?> JudgeAsync(SendResult result, bool isResult)
    {
        switch (result.Outcome)
        {
            case SendOutcome.Sent or SendOutcome.MessageGone:
                return result;

            case SendOutcome.Refused:
                // It would be refused for ever, and everything behind it would wait.
                BotTelemetry.CountSkipped();
                LogRefused(cursor.Owner, result.Reason);
                return result;

            case SendOutcome.RetryAfter:
                LogRetryAfter(cursor.Owner, result.RetryAfter);
                await ReleaseAsync(result.RetryAfter);
                return null;

            case SendOutcome.ChatGone:
                BotTelemetry.CountUnlink("gone");
                LogUnlinked(cursor.Owner, result.Reason);
                await notifier.Links.UnlinkAsync(_chatId, cursor.UserId, notifier.Options.BotId, CancellationToken.None);
                return null;

            case SendOutcome.ChatMoved:
                LogMoved(cursor.Owner, result.MovedTo);
                await notifier.Links.MoveAsync(notifier.Options.BotId, _chatId, result.MovedTo, CancellationToken.None);
                return null;

            case SendOutcome.TopicGone when _place.TopicId is { } topicId:
                LogTopicGone(cursor.Owner, topicId);
                await notifier.Links.LeaveTopicAsync(notifier.Options.BotId, _chatId, topicId, CancellationToken.None);
                await ReleaseAsync();
                return null;

            case SendOutcome.NotAllowed:
                _state = _state with { Failures = _state.Failures + 1 };
                await PauseAsync(NotAllowedPause * Math.Min(Math.Pow(2, _state.Failures - 1), MaxNotAllowedPause / NotAllowedPause), result);
                return null;

            default:
                _state = _state with { Failures = _state.Failures + 1 };
                if (isResult && _state.Failures >= FailuresOfWay && await notifier.Api.IsThereAsync(cursor.Lost))
                {
                    LogWayGivenUp(cursor.Owner, _state.Failures);
                    _state = _state with { WaysGivenUp = _state.WaysGivenUp + 1, Failures = 0 };
                }

                await PauseAsync(BackOff.After(_state.Failures, notifier.Options), result);
                return null;
        }
    }

    private Task PauseAsync(TimeSpan pause, SendResult result)
    {
        LogFailed(cursor.Owner, _state.Failures, pause, result.Reason);
        return ReleaseAsync(pause);
    }

    private Task PartDoneAsync(StatusUpdate update, int sent, int results, CursorEffect? effect)
    {
        var isWhole = sent > results;
        _state = isWhole ? new ChatState() : new ChatState { Seq = update.Seq!.Value, Sent = sent };
        _position = isWhole ? update.Position!.Value : _position;
        return SaveAsync(effect);
    }

    // What was acknowledged and is not stored would be sent again. So it is tried for as long as the database is away, and this is the holder.
    private async Task SaveAsync(CursorEffect? effect = null)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, cursor.Lost);
        while (true)
        {
            try
            {
                await cursor.SaveAsync(new CursorSave(_position) { State = _state.Encode() }, effect);
                return;
            }
            catch (NpgsqlException e) when (DatabaseErrors.MayPass(e) && !either.IsCancellationRequested)
            {
                LogNotStored(cursor.Owner, e.Message);
                await Task.Delay(BackOff.After(1, notifier.Options), notifier.Time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }


    private Task ReleaseAsync(TimeSpan? pause = null) => cursor.SaveAsync(new CursorSave(_position)
    {
        State = _state.Encode(),
        IsTroubled = _state.Failures > 0,
        NotBefore = pause,
        Release = true,
    });

    [LoggerMessage(5101, LogLevel.Warning, "{Owner} at {Position} is outside its log, {Oldest} to {Last}, or another update stands there; it is told so, and goes on from the end")]
    private partial void LogResync(string owner, long position, long oldest, long last);

    [LoggerMessage(5102, LogLevel.Warning, "Telegram refused a message for {Owner}, which is left out: {Reason}")]
    private partial void LogRefused(string owner, string? reason);

    [LoggerMessage(5103, LogLevel.Information, "Telegram asks to leave {Owner} alone for {Pause}")]
    private partial void LogRetryAfter(string owner, TimeSpan pause);

    [LoggerMessage(5104, LogLevel.Information, "{Owner} cannot be written to any more and was unlinked: {Reason}")]
    private partial void LogUnlinked(string owner, string? reason);

    [LoggerMessage(5105, LogLevel.Information, "The group of {Owner} has become {ChatId}")]
    private partial void LogMoved(string owner, long chatId);

    [LoggerMessage(5109, LogLevel.Information, "The topic {TopicId} of {Owner} is gone; it is told outside of topics")]
    private partial void LogTopicGone(string owner, int topicId);

    [LoggerMessage(5106, LogLevel.Warning, "Telegram did not take a message for {Owner}, failure {Failures} in a row; the next try is in {Pause}: {Reason}")]
    private partial void LogFailed(string owner, int failures, TimeSpan pause, string? reason);

    [LoggerMessage(5107, LogLevel.Warning, "Telegram failed by a result for {Owner} {Failures} times in a row; it is sent in another way")]
    private partial void LogWayGivenUp(string owner, int failures);

    [LoggerMessage(5108, LogLevel.Warning, "What {Owner} was told could not be stored, which is tried again: {Reason}")]
    private partial void LogNotStored(string owner, string reason);
}
