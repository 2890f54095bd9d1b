namespace StatusUpdates.Bot.Commands;

/// <summary>A command in a chat message (https://core.telegram.org/bots/features#commands).</summary>
/// <param name="Name">The name in lower case, without the slash.</param>
/// <param name="Argument">The text after the name; null if there is none.</param>
/// <param name="IsAddressed">Whether it names this bot.</param>
internal readonly record struct Command(string Name, string? Argument, bool IsAddressed)
{
    /// <summary>Parses a message.</summary>
    /// <param name="text">The message.</param>
    /// <param name="botName">This bot's name: a command can name the bot that it is meant for.</param>
    /// <returns>Null if it is not a command, or is meant for another bot.</returns>
    public static Command? Parse(string text, string botName)
    {
        if (!text.StartsWith('/'))
        {
            return null;
        }

        var words = text[1..].Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (words.Length == 0 || char.IsWhiteSpace(text[Math.Min(1, text.Length - 1)]))
        {
            return null;
        }

        var at = words[0].IndexOf('@', StringComparison.Ordinal);
        if (at >= 0 && !words[0].AsSpan(at + 1).Equals(botName, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        return new Command((at >= 0 ? words[0][..at] : words[0]).ToLowerInvariant(), words.Length > 1 ? words[1] : null, at >= 0);
    }
}
