using System.Globalization;
using System.Text;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Bot.Notifications;

/// <summary>The texts of notifications: plain, so that nothing a user or a provider wrote is taken for markup.</summary>
internal static class NotificationText
{
    /// <summary>Said once where some of the log is gone.</summary>
    public const string Resync = "Some updates could not be shown here: they are too old. /status has the latest.";

    private const int TailLength = 8;

    /// <summary>What an update says, in at most <see cref="TelegramApi.MaxTextLength"/> UTF-16 code units.</summary>
    public static string Of(StatusUpdate update)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"Your {update.Type.ToWireName()} generation is {update.Status.ToWireName()}!");
        var details = Details(update);
        if (details.Length > 0)
        {
            text.Append('\n').Append(details);
        }

        // Behind the tag, so that whatever has to be cut off is a provider's.
        text.Append('\n').Append(TagOf(update.GenerationId));
        if (update.Metadata?.ErrorMessage is { Length: > 0 } error)
        {
            text.Append("\n\n").Append(error);
        }

        return ProviderText.Clean(text.ToString(), TelegramApi.MaxTextLength)!;
    }

    /// <summary>Tells generations apart. A hashtag: touched, it shows all messages about this one.</summary>
    public static string TagOf(string generationId)
    {
        var tail = generationId.Length > TailLength ? generationId[^TailLength..] : generationId;
        return $"#gen_{string.Concat(tail.Where(char.IsAsciiLetterOrDigit))}";
    }

    private static string Details(StatusUpdate update)
    {
        var metadata = update.Metadata;
        var parts = new List<string>();
        if (update.Status == GenerationStatus.Processing)
        {
            if (metadata?.Progress is { } progress)
            {
                parts.Add(string.Create(CultureInfo.InvariantCulture, $"{progress} %"));
            }

            if (metadata?.Attempt is > 1 and var attempt)
            {
                parts.Add(string.Create(CultureInfo.InvariantCulture, $"attempt {attempt}"));
            }
        }

        if (update.Status == GenerationStatus.Completed && metadata?.TokensUsed is { } tokens)
        {
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"{tokens} tokens"));
        }

        if (update.Status == GenerationStatus.Pending && metadata?.RetryAt is { } retryAt)
        {
            parts.Add(string.Create(
                CultureInfo.InvariantCulture, $"tried again at {DateTimeOffset.FromUnixTimeMilliseconds(retryAt):HH:mm:ss} UTC"));
        }

        return string.Join(", ", parts);
    }
}
