using System.Globalization;
using System.Text;
using System.Text.Json;
using StatusUpdates.Api.Errors;
using StatusUpdates.Data.Log;

namespace StatusUpdates.Api.Generations;

/// <summary>Checks a submission's <c>options</c>: a JSON object that Postgres can hold as <c>jsonb</c>.</summary>
internal static class ProcessorOptions
{
    public const int MaxBytes = 16 * 1024;
    public const int MaxDepth = 16;

    private const string Field = "options";
    private const int MaxNumberLength = 64;
    private const int MaxExponent = 300;

    /// <summary>The object as compact JSON, or null after saying what is wrong with it.</summary>
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
            using (var writer = new Utf8JsonWriter(buffer))
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
            // How JsonElement says that an escaped text is half of a surrogate pair, in a name or a value.
            errors.Add(Field, "Must not contain lone surrogates.");
        }

        return null;
    }

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

    // Postgres keeps jsonb numbers as numeric, which refuses what is too large or has too many digits.
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
