using System.Globalization;
using System.Text.RegularExpressions;

namespace StatusUpdates.Api.Queries;

/// <summary>
/// A time in a query: ISO 8601 extended format, in UTC if it has no offset. It denotes a span: a date without a time is a whole day, and
/// anything finer is one millisecond, the precision in which this API shows times.
/// </summary>
/// <param name="First">The span's first instant.</param>
/// <param name="After">The first instant after it.</param>
internal readonly partial record struct IsoTime(DateTimeOffset First, DateTimeOffset After)
{
    public const string Expected = "Must be a date or time in ISO 8601, such as 2024-01-31 or 2024-01-31T12:00:00.000Z.";

    private static readonly TimeSpan Day = TimeSpan.FromDays(1);
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);

    public static bool TryParse(string text, out IsoTime time)
    {
        time = default;
        var match = Pattern().Match(text);
        if (!match.Success
            || !DateTime.TryParseExact(
                match.Groups["date"].Value, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date))
        {
            return false;
        }

        if (!match.Groups["hour"].Success)
        {
            return TryMake(date.Ticks, Day, out time);
        }

        var clock = new TimeSpan(Number(match, "hour"), Number(match, "minute"), Number(match, "second"));
        var offset = new TimeSpan(Number(match, "oh"), Number(match, "om"), 0);
        if (match.Groups["sign"].Value == "-")
        {
            offset = -offset;
        }

        return TryMake(date.Ticks + clock.Ticks + (Milliseconds(match) * TimeSpan.TicksPerMillisecond) - offset.Ticks, Millisecond, out time);
    }

    // An offset can move a time of the first or last day out of the range; a span at its very end is cut off there.
    private static bool TryMake(long ticks, TimeSpan length, out IsoTime time)
    {
        if (ticks < DateTimeOffset.MinValue.UtcTicks || ticks > DateTimeOffset.MaxValue.UtcTicks)
        {
            time = default;
            return false;
        }

        var first = new DateTimeOffset(ticks, TimeSpan.Zero);
        time = new(first, DateTimeOffset.MaxValue - first > length ? first + length : DateTimeOffset.MaxValue);
        return true;
    }

    private static int Number(Match match, string group) =>
        match.Groups[group] is { Success: true, ValueSpan: var digits } ? int.Parse(digits, CultureInfo.InvariantCulture) : 0;

    // Cut off, not rounded, as in responses.
    private static int Milliseconds(Match match) =>
        match.Groups["fraction"] is { Success: true, Value: var digits }
            ? int.Parse(digits.PadRight(3, '0').AsSpan(0, 3), CultureInfo.InvariantCulture)
            : 0;

    // In a query an unescaped "+" is decoded as a space: before an offset it can mean nothing else. The date's month and day are checked by TryParse.
    [GeneratedRegex(
        @"^(?<date>[0-9]{4}-[0-9]{2}-[0-9]{2})
          (?:T(?<hour>[01][0-9]|2[0-3]):(?<minute>[0-5][0-9])(?::(?<second>[0-5][0-9])(?:[.,](?<fraction>[0-9]{1,9}))?)?
          (?:Z|(?<sign>[+\ -])(?<oh>0[0-9]|1[0-4])(?::?(?<om>[0-5][0-9]))?)?)?\z",
        RegexOptions.CultureInvariant | RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();
}
