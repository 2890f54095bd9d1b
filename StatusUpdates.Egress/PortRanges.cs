using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace StatusUpdates.Egress;

/// <summary>A set of TCP ports, as written in settings. Immutable and thread-safe.</summary>
public sealed class PortRanges
{
    private readonly (int First, int Last)[] _ranges;

    private PortRanges((int, int)[] ranges) => _ranges = ranges;

    /// <summary>Every port.</summary>
    public static PortRanges All { get; } = new([(1, 65535)]);

    /// <summary>Parses ports and ranges of ports, such as <c>443</c> and <c>8000-8999</c>.</summary>
    /// <returns>False if one of them is invalid.</returns>
    public static bool TryParse(IReadOnlyCollection<string> texts, [NotNullWhen(true)] out PortRanges? ports)
    {
        var ranges = texts.Select(Parse).ToArray();
        ports = ranges.All(range => range is not null) ? new([.. ranges.Select(range => range!.Value)]) : null;
        return ports is not null;
    }

    public bool Contains(int port) => Array.Exists(_ranges, range => port >= range.First && port <= range.Last);

    /// <summary>As in the settings, separated by commas.</summary>
    public override string ToString() => string.Join(
        ", ",
        _ranges.Select(range => range.First == range.Last
            ? range.First.ToString(CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{range.First}-{range.Last}")));

    private static (int First, int Last)? Parse(string text)
    {
        var parts = text.Split('-');
        return parts.Length <= 2 && PortOf(parts[0]) is { } first && PortOf(parts[^1]) is { } last && first <= last ? (first, last) : null;
    }

    private static int? PortOf(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is >= 1 and <= 65535 ? port : null;
}
