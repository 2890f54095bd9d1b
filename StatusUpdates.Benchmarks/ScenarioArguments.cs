using System.Globalization;

namespace StatusUpdates.Benchmarks;

/// <summary>What a scenario was called with: <c>name=value</c> pairs.</summary>
internal sealed class ScenarioArguments(IReadOnlyDictionary<string, string> values)
{
    public static ScenarioArguments Parse(IEnumerable<string> arguments) => new(arguments
        .Select(argument => argument.Split('=', 2))
        .ToDictionary(
            pair => pair[0],
            pair => pair.Length == 2 ? pair[1] : throw new ArgumentException($"{pair[0]}: expected name=value."),
            StringComparer.Ordinal));

    public int Int(string name, int fallback) =>
        values.TryGetValue(name, out var value) ? int.Parse(value, CultureInfo.InvariantCulture) : fallback;
}
