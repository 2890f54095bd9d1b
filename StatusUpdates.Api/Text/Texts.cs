namespace StatusUpdates.Api.Text;

internal static class Texts
{
    /// <summary>Whether the text can be stored: no U+0000, which Postgres refuses, and no lone surrogate, which UTF-8 cannot hold.</summary>
    public static bool IsStorable(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '\0')
            {
                return false;
            }

            if (!char.IsSurrogate(c))
            {
                continue;
            }

            if (i + 1 == text.Length || !char.IsSurrogatePair(c, text[i + 1]))
            {
                return false;
            }

            i++;
        }

        return true;
    }
}
