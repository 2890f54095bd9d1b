using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using StatusUpdates.Data.Generations;

namespace StatusUpdates.Api.Generations;

/// <summary>
/// A position in a list, as clients hold it: base64url of the creation time (microseconds since 1970, the database's precision) and the id.
/// Opaque to clients but not secret: it selects among the caller's own generations only.
/// </summary>
internal static class ListCursors
{
    private const int MaxLength = 200;

    // The range of DateTimeOffset: the years 1 to 9999.
    private static readonly long MinMicroseconds = MicrosecondsOf(DateTimeOffset.MinValue);
    private static readonly long MaxMicroseconds = MicrosecondsOf(DateTimeOffset.MaxValue);

    public static string Encode(GenerationListCursor cursor) => Base64Url.EncodeToString(
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{MicrosecondsOf(cursor.CreatedAt)}.{cursor.Id}")));

    public static bool TryDecode(string text, [NotNullWhen(true)] out GenerationListCursor? cursor)
    {
        cursor = null;
        if (text.Length > MaxLength || !Base64Url.IsValid(text))
        {
            return false;
        }

        var decoded = Encoding.ASCII.GetString(Base64Url.DecodeFromChars(text));
        var dot = decoded.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0
            || !long.TryParse(decoded.AsSpan(0, dot), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var microseconds)
            || microseconds < MinMicroseconds
            || microseconds > MaxMicroseconds
            || !GenerationIds.IsWellFormed(decoded[(dot + 1)..]))
        {
            return false;
        }

        cursor = new(DateTimeOffset.UnixEpoch.AddTicks(microseconds * TimeSpan.TicksPerMicrosecond), decoded[(dot + 1)..]);
        return true;
    }

    private static long MicrosecondsOf(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
