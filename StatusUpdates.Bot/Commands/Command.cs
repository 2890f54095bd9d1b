namespace StatusUpdates.Bot.Commands;

/// <summary>A command as it was written in a chat (https://core.telegram.org/bots/features#commands).</summary>
/// <param name="Name">Its name in lower case, without the slash.</param>
/// <param name="Argument">What follows it; null for nothing.</param>
/// <param name="IsNamed">Whether it names us.</param>
internal readonly record struct Command(string Name, string? Argument, bool IsNamed)
{
    /// <summary>Reads a message.</summary>
    /// <param name="text">The message.</param>
    /// <param name="botName">Our name: a command can name the bot that it is meant for.</param>
    /// <returns>Null if it is no command, or another bot's.</returns>
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
