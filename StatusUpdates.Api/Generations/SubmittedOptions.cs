using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using StatusUpdates.Api.Errors;
using StatusUpdates.Data.Log;

namespace StatusUpdates.Api.Generations;

/// <summary>
/// Checks the form of a submission's <c>options</c>, which this API does not interpret: a JSON object that Postgres can store as <c>jsonb</c>. Which
/// options there may be is up to the generation's task: see <see cref="TaskOptionCheck"/>.
/// </summary>
internal static class SubmittedOptions
{
    /// <summary>The maximum size of the compact JSON that <see cref="Read"/> returns, not of what the client sent.</summary>
    public const int MaxBytes = 16 * 1024;

    /// <summary>The maximum number of nested objects and lists, with the outermost.</summary>
    public const int MaxDepth = 16;

    /// <summary>Their name in a request.</summary>
    public const string Field = "options";

    private const int MaxNumberLength = 64;
    private const int MaxExponent = 300;

    // Letters count as what they are in UTF-8, not as escapes. Nothing here goes into a page.
    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The object as compact JSON, or null after adding errors.</summary>
    public static string? Read(JsonElement options, FieldErrors errors)
    {
        if (options.ValueKind != JsonValueKind.Object)
        {
            errors.Add(Field, "Must be a JSON object.");
            return null;
        }

        try
        {
            if (Problem(options, 1) is { } problem)
            {
                errors.Add(Field, problem);
                return null;
            }

            using var buffer = new MemoryStream();
            using (var writer = new Utf8JsonWriter(buffer, Compact))
            {
                options.WriteTo(writer);
            }

            if (buffer.Length <= MaxBytes)
            {
                return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
            }

            errors.Add(Field, $"Must have at most {MaxBytes} bytes.");
        }
        catch (InvalidOperationException)
        {
            // JsonElement throws this for an escaped lone surrogate, in a name or a value.
            errors.Add(Field, "Must not contain lone surrogates.");
        }

        return null;
    }

    // The first problem of the value or of what is in it, in words; null if there is none.
    private static string? Problem(JsonElement value, int depth) => value.ValueKind switch
    {
        JsonValueKind.Object or JsonValueKind.Array when depth > MaxDepth => $"Must have at most {MaxDepth} levels.",
        JsonValueKind.Object => value.EnumerateObject()
            .Select(member => ProviderText.IsClean(member.Name) ? Problem(member.Value, depth + 1) : UncleanText)
            .FirstOrDefault(problem => problem is not null),
        JsonValueKind.Array => value.EnumerateArray()
            .Select(item => Problem(item, depth + 1))
            .FirstOrDefault(problem => problem is not null),
        JsonValueKind.String => ProviderText.IsClean(value.GetString()) ? null : UncleanText,
        JsonValueKind.Number => IsStorable(value.GetRawText())
            ? null
            : $"Numbers must have at most {MaxNumberLength} characters and exponents between -{MaxExponent} and {MaxExponent}.",
        _ => null,
    };

    private const string UncleanText = "Must not contain U+0000 or lone surrogates.";

    // Postgres stores jsonb numbers as numeric, which rejects numbers that are too large or have too many digits, and writes out every digit of what it
    // accepts: 1e300 becomes 301 characters. The limits are well within what it accepts.
    private static bool IsStorable(string number)
    {
        if (number.Length > MaxNumberLength)
        {
            return false;
        }

        var mark = number.AsSpan().IndexOfAny('e', 'E');
        return mark < 0
            || (int.TryParse(number.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent)
                && Math.Abs(exponent) <= MaxExponent);
    }
}
