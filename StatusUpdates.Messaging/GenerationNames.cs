using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace StatusUpdates.Messaging;

/// <summary>The form of the names of types and tasks. Which names there are is a matter of configuration.</summary>
public static class GenerationNames
{
    /// <summary>The form as a regular expression (ECMA-262).</summary>
    public const string Pattern = "^[a-z][a-z0-9_]{0,63}$";

    private const int MaxLength = 64;

    private static readonly SearchValues<char> Characters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_");

    /// <summary>Whether the text has the form of a name: 1 to 64 lower-case letters, digits and underscores (ASCII), beginning with a letter.</summary>
    public static bool IsValid([NotNullWhen(true)] string? text) =>
        text is { Length: > 0 and <= MaxLength } && char.IsAsciiLetterLower(text[0]) && !text.AsSpan().ContainsAnyExcept(Characters);
}
