using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Bot.Telegram;

/// <summary>
/// Keeps the bot below Telegram's limits (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this), so that 429
/// is the exception. Thread-safe.
/// </summary>
internal sealed class SendPace : IDisposable
{
    private readonly RateLimiter _all;
    private readonly PartitionedRateLimiter<long> _chats;
    private readonly PartitionedRateLimiter<long> _answers;

    public SendPace(IOptions<TelegramOptions> options)
    {
        var settings = options.Value;
        _all = settings.MessagesPerSecond > 0
            ? new TokenBucketRateLimiter(Bucket(settings.MessagesPerSecond, burst: 1, queue: int.MaxValue))
            : new ConcurrencyLimiter(new ConcurrencyLimiterOptions { PermitLimit = int.MaxValue });
        _chats = LimiterOfChats(settings);
        _answers = LimiterOfChats(settings);
    }

    /// <summary>Takes a message's place in a chat.</summary>
    /// <returns>Null if it may be sent; else how long the chat has to wait. Who waits that long should hold nothing meanwhile.</returns>
    public TimeSpan? TryTake(long chatId)
    {
        using var lease = _chats.AttemptAcquire(chatId);
        return lease.IsAcquired ? null : lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1);
    }

    /// <summary>
    /// Takes the place of an answer to a command. Answers have as much as messages, but apart from them: a chat that is told much is answered too.
    /// </summary>
    /// <returns>False if the chat has had its share.</returns>
    public bool TryTakeAnswer(long chatId)
    {
        using var lease = _answers.AttemptAcquire(chatId);
        return lease.IsAcquired;
    }

    /// <summary>Waits for a message's place among all chats.</summary>
    public async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        using var lease = await _all.AcquireAsync(1, cancellationToken);
    }

    public void Dispose()
    {
        _all.Dispose();
        _chats.Dispose();
        _answers.Dispose();
    }

    private static PartitionedRateLimiter<long> LimiterOfChats(TelegramOptions settings) => PartitionedRateLimiter.Create<long, long>(chat =>
    {
        // Groups have negative numbers.
        var rate = chat < 0 ? settings.GroupMessagesPerSecond : settings.ChatMessagesPerSecond;
        return rate > 0
            ? RateLimitPartition.GetTokenBucketLimiter(chat, _ => Bucket(rate, settings.ChatBurst, queue: 0))
            : RateLimitPartition.GetNoLimiter(chat);
    });

    private static TokenBucketRateLimiterOptions Bucket(double rate, int burst, int queue) => new()
    {
        TokenLimit = burst,
        TokensPerPeriod = 1,
        ReplenishmentPeriod = TimeSpan.FromSeconds(1 / rate),
        QueueLimit = queue,
        QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
    };
}
