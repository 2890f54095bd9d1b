namespace StatusUpdates.Bot.Telegram;

/// <summary>Pauses between tries.</summary>
internal static class BackOff
{
    /// <summary>The pause after so many failures in a row, from 1: doubling, bounded, with up to a half taken off by chance.</summary>
    public static TimeSpan After(int failures, TelegramOptions options)
    {
        var pause = options.RetryBackOff * Math.Pow(2, Math.Clamp(failures - 1, 0, 20));
        return (pause < options.MaxRetryBackOff ? pause : options.MaxRetryBackOff) * (0.5 + (Random.Shared.NextDouble() / 2));
    }
}
