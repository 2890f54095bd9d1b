using System.Globalization;

namespace StatusUpdates.Benchmarks;

/// <summary>
/// The arguments of a scenario: <c>name=value</c> pairs, and <c>--quick</c> for a run of a few seconds that only shows that everything works.
/// A scenario first reads all its settings and then calls <see cref="ThrowIfUnknown"/>.
/// </summary>
internal sealed class ScenarioArguments(IReadOnlyDictionary<string, string> values, bool isQuick)
{
    private const string QuickFlag = "--quick";

    private readonly List<string> _known = [];

    public bool IsQuick { get; } = isQuick;

    /// <exception cref="UsageException">An argument is neither the flag nor <c>name=value</c>, or a name is repeated.</exception>
    public static ScenarioArguments Parse(IReadOnlyCollection<string> arguments)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var argument in arguments.Where(argument => argument != QuickFlag))
        {
            if (argument.Split('=', 2) is not [{ Length: > 0 } name, var value])
            {
                throw new UsageException($"{argument}: expected name=value or {QuickFlag}.");
            }

            if (!values.TryAdd(name, value))
            {
                throw new UsageException($"{name} is given twice.");
            }
        }

        return new ScenarioArguments(values, arguments.Contains(QuickFlag));
    }

    /// <summary>A positive integer, or its default.</summary>
    /// <exception cref="UsageException">The value is something else.</exception>
    public int Int(string name, int fallback, int quick)
    {
        _known.Add(name);
        if (!values.TryGetValue(name, out var value))
        {
            return IsQuick ? quick : fallback;
        }

        return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
            ? number
            : throw new UsageException($"{name} must be a positive integer, not {value}.");
    }

    /// <exception cref="UsageException">A setting was given that this scenario does not have.</exception>
    public void ThrowIfUnknown()
    {
        if (values.Keys.FirstOrDefault(name => !_known.Contains(name)) is { } unknown)
        {
            throw new UsageException($"{unknown} is not a setting of this scenario; it has {string.Join(", ", _known)}.");
        }
    }
}
