namespace StatusUpdates.Benchmarks;

/// <summary>
/// Figures of the API beside those of bare Kestrel, from runs in turn. The ratio is the median of the pairs' own ratios: what the rest of
/// the machine does weighs on both runs of a pair alike.
/// </summary>
internal sealed class Comparison
{
    /// <summary>The figure that says how much of the machine was not the benchmark's.</summary>
    public const string Others = "others on the machine, processors";

    private const double Tolerable = 0.1;

    private readonly List<Samples> _figures = [];

    public static IReadOnlyList<string> Columns { get; } = ["median of the runs", "bare Kestrel", "API", "API / bare"];

    public IReadOnlyList<Samples> Figures => _figures;

    public IReadOnlyList<IReadOnlyList<string>> Rows => [.. _figures.Select(Row)];

    /// <summary>Adds the figures of one run; those of one name make a row.</summary>
    public void Add(string name, string format, double? bare, double? api)
    {
        if (_figures.Find(figure => figure.Name == name) is not { } figure)
        {
            _figures.Add(figure = new Samples(name, format, [], []));
        }

        Add(figure.Bare, bare);
        Add(figure.Api, api);
    }

    /// <summary>A warning, if others took so much of the machine that speeds say little.</summary>
    public IEnumerable<string> Disturbances() => Disturbances(
        _figures.Where(figure => figure.Name.EndsWith(Others, StringComparison.Ordinal)).SelectMany(figure => figure.Bare.Concat(figure.Api)));

    /// <param name="processors">How many processors others had, in each run.</param>
    public static IEnumerable<string> Disturbances(IEnumerable<double> processors)
    {
        var others = processors.ToArray();
        return others.Length > 0 && Statistics.Median(others) is var median && median > Tolerable
            ? [$"DISTURBED: others took {Report.Number(median)} of {Environment.ProcessorCount} processors. Speeds and durations are theirs as much as ours; compare processor times and ratios."]
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

/// <summary>One figure over all runs, in their order.</summary>
internal sealed record Samples(string Name, string Format, List<double> Bare, List<double> Api);
