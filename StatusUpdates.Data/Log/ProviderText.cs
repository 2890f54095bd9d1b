using System.Buffers;
using System.Text;

namespace StatusUpdates.Data.Log;

/// <summary>
/// Text that Postgres and JSON can store: no U+0000, no lone surrogates. Other text is refused in requests (<see cref="IsClean"/>), but
/// repaired in a provider's output (<see cref="Clean"/>), because a generation must be able to end.
/// </summary>
public static class ProviderText
{
    /// <summary>Longest error message, in UTF-16 code units.</summary>
    public const int MaxErrorLength = 2000;

    /// <summary>Longest result URL, in UTF-16 code units.</summary>
    public const int MaxUrlLength = 4000;

    /// <summary>Whether the text can be stored unchanged.</summary>
    public static bool IsClean(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(text, out _, out var consumed) != OperationStatus.Done || text[0] == '\0')
            {
                return false;
            }

            text = text[consumed..];
        }

        return true;
    }

    /// <summary>The text with U+0000 and lone surrogates replaced by U+FFFD, cut to at most <paramref name="maxLength"/> UTF-16 code units.</summary>
    public static string? Clean(string? text, int maxLength)
    {
        if (text is null || (text.Length <= maxLength && IsClean(text)))
        {
            return text;
        }

        var cleaned = new StringBuilder(Math.Min(text.Length, maxLength));
        foreach (var rune in text.EnumerateRunes())
        {
            // EnumerateRunes yields U+FFFD for a lone surrogate.
            var kept = rune.Value == 0 ? Rune.ReplacementChar : rune;
            if (cleaned.Length + kept.Utf16SequenceLength > maxLength)
            {
                break;
            }

            cleaned.Append(kept.ToString());
        }

        return cleaned.ToString();
    }
}
