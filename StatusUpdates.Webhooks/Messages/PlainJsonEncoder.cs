using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;

namespace StatusUpdates.Webhooks.Messages;

/// <summary>
/// Escapes only what JSON requires (RFC 8259, section 7), in the shortest form, like <c>JSON.stringify</c>. The library's own encoders, even the
/// relaxed one, escape more, such as emoji and U+2028: they are made for JSON inside other languages. Thread-safe.
/// </summary>
internal sealed class PlainJsonEncoder : JavaScriptEncoder
{
    private static readonly SearchValues<char> Escaped = SearchValues.Create(
        [.. Enumerable.Range(0, ' ').Select(c => (char)c), '"', '\\']);

    public static PlainJsonEncoder Instance { get; } = new();

    // \u001f
    public override int MaxOutputCharactersPerInputCharacter => 6;

    public override bool WillEncode(int unicodeScalar) => unicodeScalar is < ' ' or '"' or '\\';

    public override unsafe int FindFirstCharacterToEncode(char* text, int textLength)
    {
        var span = new ReadOnlySpan<char>(text, textLength);
        var found = span.IndexOfAny(Escaped);
        var surrogate = span.IndexOfAnyInRange('\ud800', '\udfff');

        // From there on the caller checks, scalar by scalar, whether it is a pair: a lone surrogate is not text.
        return surrogate >= 0 && (found < 0 || surrogate < found) ? surrogate : found;
    }

    public override unsafe bool TryEncodeUnicodeScalar(int unicodeScalar, char* buffer, int bufferLength, out int numberOfCharactersWritten)
    {
        var to = new Span<char>(buffer, bufferLength);
        var shorthand = unicodeScalar switch
        {
            '"' => '"',
            '\\' => '\\',
            '\b' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\f' => 'f',
            '\r' => 'r',
            _ => '\0',
        };
        return shorthand == '\0'
            ? to.TryWrite(CultureInfo.InvariantCulture, $"\\u{unicodeScalar:x4}", out numberOfCharactersWritten)
            : to.TryWrite(CultureInfo.InvariantCulture, $"\\{shorthand}", out numberOfCharactersWritten);
    }
}
