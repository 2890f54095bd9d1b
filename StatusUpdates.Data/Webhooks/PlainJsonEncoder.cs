using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;

namespace StatusUpdates.Data.Webhooks;

/// <summary>
/// Escapes what JSON needs to have escaped (RFC 8259, section 7) and nothing else, in the shortest way: as <c>JSON.stringify</c> does. The library's
/// own encoders escape more, also the relaxed one, such as emoji and U+2028: they are made for JSON inside of other languages. Thread-safe.
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

        // Whether it is a pair is judged by the caller, scalar by scalar, from there on: a lone one is no text.
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
