using System.Globalization;
using Microsoft.Extensions.Primitives;
using StatusUpdates.Api.Errors;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Queries;

/// <summary>
/// Reads query parameters strictly: each at most once, never empty, always in its range; what is wrong is said under the parameter's
/// name. Parameters that nobody asks for are ignored.
/// </summary>
internal sealed class QueryReader(IQueryCollection query, FieldErrors? errors = null)
{
    /// <summary>The largest position of a log that every JSON reader holds exactly (RFC 8259, section 6).</summary>
    public const long MaxSeq = LogPosition.MaxSeq;

    /// <summary>What is allowed where a position is asked for.</summary>
    private static readonly string PositionExpected = string.Create(
        CultureInfo.InvariantCulture, $"Must be a cursor, such as 42-9f3ab2c1, or an integer from 0 to {MaxSeq}.");

    public delegate bool Parser<T>(string text, out T value);

    public delegate bool ReferenceParser<T>(string text, out T? value)
        where T : class;

    public FieldErrors Errors { get; } = errors ?? new();

    /// <summary>The parameter's text; null if it is absent or wrong.</summary>
    public string? Text(string name) => query.TryGetValue(name, out var values) ? Single(name, values) : null;

    /// <summary>An integer within its bounds: digits alone, with a minus where the bounds allow it.</summary>
    public int? Integer(string name, int min, int max) => (int?)Number(name, Text(name), min, max);

    /// <summary>A position in a log, with its check or without.</summary>
    public LogPosition? Position(string name) => Position(name, Text(name));

    /// <summary>A position in a log that a header carries, by the same rules.</summary>
    public LogPosition? HeaderPosition(string name, StringValues values) => values.Count == 0 ? null : Position(name, Single(name, values));

    public T? Value<T>(string name, Parser<T> parse, string expected)
        where T : struct
    {
        if (Text(name) is not { } text)
        {
            return null;
        }

        if (parse(text, out var value))
        {
            return value;
        }

        Errors.Add(name, expected);
        return null;
    }

    public T? Reference<T>(string name, ReferenceParser<T> parse, string expected)
        where T : class
    {
        if (Text(name) is not { } text)
        {
            return null;
        }

        if (parse(text, out var value))
        {
            return value;
        }

        Errors.Add(name, expected);
        return null;
    }

    private LogPosition? Position(string name, string? text)
    {
        if (text is null)
        {
            return null;
        }

        if (LogPosition.TryParse(text, out var position))
        {
            return position;
        }

        Errors.Add(name, PositionExpected);
        return null;
    }

    private string? Single(string name, StringValues values)
    {
        if (values is [{ Length: > 0 } value])
        {
            return value;
        }

        Errors.Add(name, values.Count == 1 ? "Must not be empty." : "Must be given once.");
        return null;
    }

    private long? Number(string name, string? text, long min, long max)
    {
        if (text is null)
        {
            return null;
        }

        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number >= min
            && number <= max)
        {
            return number;
        }

        Errors.Add(name, string.Create(CultureInfo.InvariantCulture, $"Must be an integer from {min} to {max}."));
        return null;
    }
}
