using System.Globalization;
using System.Text.Json;
using StatusUpdates.Api.Errors;
using StatusUpdates.Data.Types;

namespace StatusUpdates.Api.Generations;

/// <summary>Checks a submission's options against those that its task takes, if the task lists them.</summary>
internal static class TaskOptionCheck
{
    // What a client sent is not repeated in full.
    private const int MaxNameLength = 64;

    /// <summary>Adds an error for each option with an unacceptable value, each that is missing, and for the others.</summary>
    /// <param name="given">The options, whose form has been checked; null if there are none.</param>
    /// <param name="task">The task.</param>
    /// <param name="errors">Receives the errors.</param>
    public static void Check(JsonElement? given, RegisteredTask task, FieldErrors errors)
    {
        if (task.Options is not { } options)
        {
            return;
        }

        foreach (var option in options)
        {
            var field = $"{SubmittedOptions.Field}.{option.Name}";
            if (given is null || !given.Value.TryGetProperty(option.Name, out var value))
            {
                if (option.Required)
                {
                    errors.Add(field, $"Is required. {Expected(option)}");
                }
            }
            else if (!Accepts(option, value))
            {
                errors.Add(field, Expected(option));
            }
        }

        var known = options.Select(option => option.Name).ToArray();
        if (given?.EnumerateObject().Select(member => member.Name).FirstOrDefault(name => !known.Contains(name, StringComparer.Ordinal)) is { } other)
        {
            errors.Add(
                SubmittedOptions.Field,
                $"{task.Name} takes no option '{other[..Math.Min(other.Length, MaxNameLength)]}'. Allowed are: {string.Join(", ", known)}.");
        }
    }

    private static bool Accepts(TaskOption option, JsonElement value) => option.Type switch
    {
        OptionTypes.Flag => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        OptionTypes.Text => value.ValueKind == JsonValueKind.String && option.Values?.Contains(value.GetString(), StringComparer.Ordinal) != false,
        _ => value.ValueKind == JsonValueKind.Number
            && (option.Type == OptionTypes.Number || value.TryGetInt64(out _))
            && !(value.GetDouble() < option.Min)
            && !(value.GetDouble() > option.Max),
    };

    private static string Expected(TaskOption option) => option.Type switch
    {
        OptionTypes.Flag => "Must be true or false.",
        OptionTypes.Text when option.Values is { } values => $"Allowed are: {string.Join(", ", values)}.",
        OptionTypes.Text => "Must be a string.",
        _ => (option.Type == OptionTypes.Whole ? "Must be an integer" : "Must be a number")
            + Limit(" from ", option.Min) + Limit(option.Min is null ? " up to " : " to ", option.Max) + ".",
    };

    private static string Limit(string word, double? limit) => limit is { } value ? word + value.ToString(CultureInfo.InvariantCulture) : "";
}
