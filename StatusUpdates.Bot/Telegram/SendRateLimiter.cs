using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using StatusUpdates.ChatLinks;

namespace StatusUpdates.Bot.Telegram;

/// <summary>
/// Keeps the bot below Telegram's limits (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this), so that 429
/// is rare. Thread-safe.
/// </summary>
internal sealed class SendRateLimiter(IOptions<TelegramOptions> options) : IDisposable
{
    private readonly RateLimiter _all = options.Value.MessagesPerSecond > 0
        ? new TokenBucketRateLimiter(Bucket(options.Value.MessagesPerSecond, burst: 1, queue: int.MaxValue))
        : new ConcurrencyLimiter(new ConcurrencyLimiterOptions { PermitLimit = int.MaxValue });

    private readonly PartitionedRateLimiter<long> _chats = CreateChatLimiter(options.Value);
    private readonly PartitionedRateLimiter<long> _answers = CreateChatLimiter(options.Value);

    /// <summary>Takes a permit for a message to a chat.</summary>
    /// <returns>Null if it may be sent; else how long to wait. The caller should hold nothing during that wait.</returns>
    public TimeSpan? TryTake(long chatId)
    {
        using var lease = _chats.AttemptAcquire(chatId);
        return lease.IsAcquired ? null : lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1);
    }

    /// <summary>
    /// Takes a permit for an answer to a command. Answers have the same limits as messages, counted separately: a chat
    /// with many updates still gets answers.
    /// </summary>
    /// <returns>False if the chat has reached its limit.</returns>
    public bool TryTakeAnswer(long chatId)
    {
        using var lease = _answers.AttemptAcquire(chatId);
        return lease.IsAcquired;
    }

    /// <summary>Waits for a permit for a message to any chat.</summary>
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

    private static PartitionedRateLimiter<long> CreateChatLimiter(TelegramOptions settings) => PartitionedRateLimiter.Create<long, long>(chat =>
    {
        // Groups have negative ids.
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
