using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Bot.Results;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.ChatLinks;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Bot.Notifications;

/// <summary>
/// Sends one chat the updates that are due, entry by entry. A change of status is a new message; what follows under the same status (progress,
/// another attempt) edits that message. What was sent is stored after each acknowledgment, so a crash repeats at most the one request whose
/// acknowledgment was lost. While Telegram is unavailable, nothing is skipped or reordered: the cursor stays where it is and is claimed again later.
/// </summary>
internal sealed partial class ChatRun(
    TelegramApi api,
    SendRateLimiter rateLimiter,
    ResultSender results,
    TelegramLinkStore links,
    TelegramOptions options,
    TimeProvider time,
    ILogger<ChatRun> logger,
    HeldCursor cursor,
    CancellationToken stopping)
{
    private const int PageSize = 100;

    // After this many failures in a row while Telegram answered other requests, the way in which a result is sent is taken to be the cause.
    private const int MaxFailuresOfWay = 5;

    // After a longer wait, the cursor is saved before anything is sent, to check that it is still held.
    private static readonly TimeSpan ShortWait = TimeSpan.FromSeconds(1);

    private static readonly Backoff NotAllowed = new(TimeSpan.FromMinutes(10), TimeSpan.FromHours(1), Jitter: 0);

    private readonly long _chatId = TelegramLinkStore.ChatOf(cursor.Owner);
    private ChatState _state = ChatState.Parse(cursor.State);
    private ChatPlace _place = new(TelegramLinkStore.ChatOf(cursor.Owner));

    // The last entry that is complete; stored with the next save.
    private LogPosition _position = cursor.Position;

    /// <summary>Runs until nothing is due, Telegram asks for a pause, or the service stops.</summary>
    public async Task RunAsync()
    {
        while (await SendPageAsync())
        {
        }
    }

    private async Task<bool> SendPageAsync()
    {
        var page = await cursor.ReadAsync(PageSize, cursor.Lost);
        var continues = page.Continues(cursor.Position);
        if (continues && page.Items.Count == 0)
        {
            await ReleaseAsync();
            return false;
        }

        var (topicId, messages) = await links.FindChatAsync(
            options.BotId, _chatId, page.Items.Select(update => update.GenerationId).ToHashSet(StringComparer.Ordinal), cursor.Lost);
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
            if (!await SendUpdateAsync(update, messages, isLatest: last[update.GenerationId] == update.Seq))
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

    private async Task<bool> SendUpdateAsync(StatusUpdate update, Dictionary<string, ChatMessage> messages, bool isLatest)
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
                // A later update says more, or the message's id is not known.
                _position = update.Position!.Value;
                return true;
            }

            var text = NotificationText.Of(update);
            var result = await RequestAsync(token => isKnown
                ? api.EditTextAsync(_chatId, message.MessageId, text, token)
                : api.SendTextAsync(_place, text, token));
            if (result is not { } outcome)
            {
                return false;
            }

            CursorEffect? effect = null;
            if (!isKnown && outcome.Outcome == SendOutcome.Sent)
            {
                effect = MessageEffects.Sent(_chatId, update, outcome.MessageId);
                messages[update.GenerationId] = new ChatMessage(outcome.MessageId, update.Status.ToWireName());
                BotTelemetry.UpdateSent(update, time.GetUtcNow());
            }

            await SavePartAsync(update, ++sent, urls.Count, effect);
        }

        while (sent <= urls.Count)
        {
            var url = urls[sent - 1];
            if (await RequestAsync(token => results.SendAsync(_place, url, _state.WaysGivenUp, stopping, token), isResult: true) is null)
            {
                return false;
            }

            await SavePartAsync(update, ++sent, urls.Count, null);
        }

        return true;
    }

    private async Task<bool> ResyncAsync(LogBounds bounds)
    {
        LogResync(cursor.Owner, cursor.Position.Seq, bounds.Oldest, bounds.Last);
        if (await RequestAsync(token => api.SendTextAsync(_place, NotificationText.Resync, token)) is null)
        {
            return false;
        }

        BotTelemetry.CountResync();
        _position = bounds.Head;
        _state = new ChatState();
        await SaveAsync();
        return true;
    }

    /// <summary>Sends one request, once the rate limits permit it.</summary>
    /// <returns>Its outcome if the run continues, sent or not; null if the run ends here: then the cursor is released or lost.</returns>
    private async Task<SendResult?> RequestAsync(Func<CancellationToken, Task<SendResult>> send, bool isResult = false)
    {
        if (rateLimiter.TryTake(_chatId) is { } wait)
        {
            await ReleaseAsync(wait);
            return null;
        }

        var started = time.GetTimestamp();
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, cursor.Lost);
            await rateLimiter.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await ReleaseAsync();
            return null;
        }

        if (time.GetElapsedTime(started) > ShortWait)
        {
            // The chat may be linked to another user by now: then this save fails, and nothing more is sent.
            await SaveAsync();
        }

        // Not canceled by a stop: a request under way is finished, because its outcome must be known.
        return await HandleResultAsync(await send(cursor.Lost), isResult);
    }

    private async Task<SendResult?> HandleResultAsync(SendResult result, bool isResult)
    {
        switch (result.Outcome)
        {
            case SendOutcome.Sent or SendOutcome.MessageGone:
                return result;

            case SendOutcome.Refused:
                // It would be refused forever, and everything after it would wait.
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
                await links.UnlinkAsync(_chatId, cursor.UserId, options.BotId, CancellationToken.None);
                return null;

            case SendOutcome.ChatMoved:
                LogMoved(cursor.Owner, result.MovedTo);
                await links.MoveAsync(options.BotId, _chatId, result.MovedTo, CancellationToken.None);
                return null;

            case SendOutcome.TopicGone when _place.TopicId is { } topicId:
                LogTopicGone(cursor.Owner, topicId);
                await links.LeaveTopicAsync(options.BotId, _chatId, topicId, CancellationToken.None);
                await ReleaseAsync();
                return null;

            case SendOutcome.NotAllowed:
                _state = _state with { Failures = _state.Failures + 1 };
                await PauseAsync(NotAllowed.After(_state.Failures), result);
                return null;

            default:
                _state = _state with { Failures = _state.Failures + 1 };
                if (isResult && await api.IsReachableAsync(cursor.Lost))
                {
                    _state = _state with { FailuresOfWay = _state.FailuresOfWay + 1 };
                }

                if (_state.FailuresOfWay >= MaxFailuresOfWay)
                {
                    LogWayGivenUp(cursor.Owner, _state.FailuresOfWay);
                    _state = _state with { WaysGivenUp = _state.WaysGivenUp + 1, FailuresOfWay = 0, Failures = 0 };
                }

                await PauseAsync(options.Backoff.After(_state.Failures), result);
                return null;
        }
    }

    private Task PauseAsync(TimeSpan pause, SendResult result)
    {
        LogFailed(cursor.Owner, _state.Failures, pause, result.Reason);
        return ReleaseAsync(pause);
    }

    private Task SavePartAsync(StatusUpdate update, int sent, int resultCount, CursorEffect? effect)
    {
        var isComplete = sent > resultCount;
        _state = isComplete ? new ChatState() : new ChatState { Seq = update.Seq!.Value, Sent = sent };
        _position = isComplete ? update.Position!.Value : _position;
        return SaveAsync(effect);
    }

    // What was acknowledged but not stored would be sent again. So this retries while the database is unavailable and the cursor is held here.
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
            catch (NpgsqlException e) when (DatabaseErrors.IsTransient(e) && !either.IsCancellationRequested)
            {
                LogNotStored(cursor.Owner, e.Message);
                await Task.Delay(options.Backoff.After(1), time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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

    [LoggerMessage(5101, LogLevel.Warning, "{Owner} at {Position} is outside its log, {Oldest} to {Last}, or the log has another update there; it gets a notice and continues from the end")]
    private partial void LogResync(string owner, long position, long oldest, long last);

    [LoggerMessage(5102, LogLevel.Warning, "Telegram refused a message for {Owner}; it is skipped: {Reason}")]
    private partial void LogRefused(string owner, string? reason);

    [LoggerMessage(5103, LogLevel.Information, "Telegram limits the rate of messages to {Owner}; the next attempt is in {Pause}")]
    private partial void LogRetryAfter(string owner, TimeSpan pause);

    [LoggerMessage(5104, LogLevel.Information, "{Owner} can no longer be written to and was unlinked: {Reason}")]
    private partial void LogUnlinked(string owner, string? reason);

    [LoggerMessage(5105, LogLevel.Information, "The group of {Owner} has a new chat id, {ChatId}")]
    private partial void LogMoved(string owner, long chatId);

    [LoggerMessage(5109, LogLevel.Information, "Topic {TopicId} of {Owner} was deleted; messages are now sent outside of topics")]
    private partial void LogTopicGone(string owner, int topicId);

    [LoggerMessage(5106, LogLevel.Warning, "Telegram did not accept a message for {Owner}, failure {Failures} in a row; the next attempt is in {Pause}: {Reason}")]
    private partial void LogFailed(string owner, int failures, TimeSpan pause, string? reason);

    [LoggerMessage(5107, LogLevel.Warning, "Sending a result to {Owner} failed {Failures} times in a row; it is sent in another way")]
    private partial void LogWayGivenUp(string owner, int failures);

    [LoggerMessage(5108, LogLevel.Warning, "What was sent to {Owner} could not be stored; retrying: {Reason}")]
    private partial void LogNotStored(string owner, string reason);
}
