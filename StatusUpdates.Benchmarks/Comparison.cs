namespace StatusUpdates.Benchmarks;

/// <summary>
/// Compares figures of the API and bare Kestrel, from alternating runs. The ratio is the median of the ratios of the pairs: other load on the
/// machine affects both runs of a pair about equally.
/// </summary>
internal sealed class Comparison
{
    /// <summary>The name of the figure for the processors that other processes on the machine used.</summary>
    public const string Others = "other processes, processors";

    private const double MaxOthers = 0.1;

    private readonly List<Samples> _figures = [];

    public static IReadOnlyList<string> Columns { get; } = ["median of the runs", "bare Kestrel", "API", "API / bare"];

    public IReadOnlyList<Samples> Figures => _figures;

    public IReadOnlyList<IReadOnlyList<string>> Rows => [.. _figures.Select(Row)];

    /// <summary>Adds the figures of one run. Figures of the same name form one row.</summary>
    public void Add(string name, string format, double? bare, double? api)
    {
        if (_figures.Find(figure => figure.Name == name) is not { } figure)
        {
            _figures.Add(figure = new Samples(name, format, [], []));
        }

        Add(figure.Bare, bare);
        Add(figure.Api, api);
    }

    /// <summary>A warning if other processes used so much of the machine that rates and durations are not meaningful.</summary>
    public IEnumerable<string> Disturbances() => Disturbances(
        _figures.Where(figure => figure.Name.EndsWith(Others, StringComparison.Ordinal)).SelectMany(figure => figure.Bare.Concat(figure.Api)));

    /// <param name="processors">The processors used by other processes, per run.</param>
    public static IEnumerable<string> Disturbances(IEnumerable<double> processors)
    {
        var others = processors.ToArray();
        return others.Length > 0 && Statistics.Median(others) is var median && median > MaxOthers
            ? [$"DISTURBED: other processes used {Report.Number(median)} of {Environment.ProcessorCount} processors. Rates and durations are unreliable; compare processor times and ratios."]
            : [];
    }

    private static void Add(List<double> values, double? value)
    {
        if (value is { } number)
        {
            values.Add(number);
        }
    }

    private static IReadOnlyList<string> Row(Samples figure) =>
        [figure.Name, Text(figure.Bare, figure.Format), Text(figure.Api, figure.Format), Ratio(figure)];

    private static string Text(List<double> values, string format) =>
        values.Count == 0 ? "" : Report.Number(Statistics.Median(values), format);

    private static string Ratio(Samples figure)
    {
        var ratios = figure.Bare.Zip(figure.Api).Where(pair => pair.First > 0).Select(pair => pair.Second / pair.First).ToArray();
        return ratios.Length == 0 ? "" : Report.Number(Statistics.Median(ratios), "0.00");
    }
}

/// <summary>The values of one figure, in the order of the runs.</summary>
internal sealed record Samples(string Name, string Format, List<double> Bare, List<double> Api);
