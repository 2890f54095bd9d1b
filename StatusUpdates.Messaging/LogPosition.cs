using System.Buffers.Binary;
using System.Globalization;

namespace StatusUpdates.Messaging;

/// <summary>
/// A position in a user's log: the number of an update, and a check that distinguishes it from an update with the same number in another log,
/// such as one restored from a backup. Written <c>42-9f3ab2c1</c>; without a check (<c>42</c>) only the numbers can be compared.
/// </summary>
/// <param name="Seq">The update's number; 0 is the beginning, before the first update.</param>
/// <param name="Check">32 bits of the update's id; null at the beginning, or if they are not known.</param>
public readonly record struct LogPosition(long Seq, uint? Check = null)
{
    private const int CheckLength = 8;

    /// <summary>The length of the highest number (2^53 - 1), the dash and the check.</summary>
    public const int MaxLength = 16 + 1 + CheckLength;

    /// <summary>The highest number that all JSON parsers represent exactly.</summary>
    public const long MaxSeq = 9_007_199_254_740_991;

    /// <summary>The check of an update's id: its last 32 bits, which are random in every UUID version that has random bits (RFC 9562).</summary>
    public static uint CheckOf(Guid updateId)
    {
        Span<byte> bytes = stackalloc byte[16];
        updateId.TryWriteBytes(bytes, bigEndian: true, out _);
        return BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]);
    }

    /// <summary>Reads what <see cref="ToString"/> writes, or a bare number.</summary>
    /// <param name="text">The text.</param>
    /// <param name="position">The position, if the result is true.</param>
    public static bool TryParse(ReadOnlySpan<char> text, out LogPosition position)
    {
        position = default;
        var dash = text.IndexOf('-');
        uint? check = null;
        if (dash >= 0)
        {
            if (text.Length - dash - 1 != CheckLength
                || !uint.TryParse(text[(dash + 1)..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var bits))
            {
                return false;
            }

            check = bits;
            text = text[..dash];
        }

        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seq) || seq > MaxSeq)
        {
            return false;
        }

        position = new(seq, check);
        return true;
    }

    /// <summary>A position that another party sent: its cursor, or the number alone if it is of an earlier version that sends no cursor.</summary>
    /// <param name="seq">The number.</param>
    /// <param name="cursor">The number with its check; ignored if it is null, malformed or has another number.</param>
    public static LogPosition Of(long seq, string? cursor) =>
        cursor is not null && TryParse(cursor, out var position) && position.Seq == seq ? position : new(seq);

    /// <summary>A position without a check.</summary>
    public static implicit operator LogPosition(long seq) => new(seq);

    /// <summary>Whether both may be the same position: the numbers are equal, and so are the checks if both are known.</summary>
    public bool Agrees(LogPosition other) => Seq == other.Seq && (Check is null || other.Check is null || Check == other.Check);

    /// <summary>Writes the same text as <see cref="ToString"/>, as UTF-8.</summary>
    /// <param name="utf8">The destination; <see cref="MaxLength"/> bytes are enough.</param>
    /// <returns>The number of bytes written.</returns>
    public int Format(Span<byte> utf8)
    {
        Seq.TryFormat(utf8, out var length, default, CultureInfo.InvariantCulture);
        if (Check is { } check)
        {
            utf8[length++] = (byte)'-';
            check.TryFormat(utf8[length..], out var digits, "x8", CultureInfo.InvariantCulture);
            length += digits;
        }

        return length;
    }

    /// <summary>The text form used everywhere: <c>42-9f3ab2c1</c>, or <c>42</c>.</summary>
    public override string ToString() => Check is { } check
        ? string.Create(CultureInfo.InvariantCulture, $"{Seq}-{check:x8}")
        : Seq.ToString(CultureInfo.InvariantCulture);
}
