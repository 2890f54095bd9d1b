using System.Globalization;
using System.Text;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Bot.Notifications;

/// <summary>The texts of notifications: plain text, because nothing from a user or a provider may be interpreted as markup.</summary>
internal static class NotificationText
{
    /// <summary>Sent once if a part of the log is missing.</summary>
    public const string Resync = "Some older updates are no longer available and were not sent here. Send /status to see the latest.";

    private const int TailLength = 8;

    /// <summary>The text for an update, of at most <see cref="TelegramApi.MaxTextLength"/> UTF-16 code units.</summary>
    public static string Of(StatusUpdate update)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"Your {update.Type} generation is {update.Status.ToWireName()}!");
        var details = Details(update);
        if (details.Length > 0)
        {
            text.Append('\n').Append(details);
        }

        // After the tag: if the text is too long, only the provider's message is cut.
        text.Append('\n').Append(TagOf(update.GenerationId));
        if (update.Metadata?.ErrorMessage is { Length: > 0 } error)
        {
            text.Append("\n\n").Append(error);
        }

        return ProviderText.Clean(text.ToString(), TelegramApi.MaxTextLength)!;
    }

    /// <summary>A hashtag that identifies a generation; tapping it shows all messages about the generation.</summary>
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
                parts.Add(string.Create(CultureInfo.InvariantCulture, $"{progress}%"));
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
                CultureInfo.InvariantCulture, $"next attempt at {DateTimeOffset.FromUnixTimeMilliseconds(retryAt):HH:mm:ss} UTC"));
        }

        return string.Join(", ", parts);
    }
}
