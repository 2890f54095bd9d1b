using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Benchmarks;

/// <summary>The result of a scenario: a table that compares figures row by row. Printed, and saved as JSON with the figures of each run.</summary>
internal sealed record Report(string Title, IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows, IReadOnlyList<string> Notes)
{
    /// <summary>The figures of each run, in scenarios that compare runs.</summary>
    public IReadOnlyList<Samples> Samples { get; init; } = [];

    public string Machine { get; } =
        $"{Environment.ProcessorCount} processors, {RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}";

    public void Print(TextWriter output)
    {
        var widths = Columns.Select((column, i) => Math.Max(column.Length, Rows.Max(row => row[i].Length))).ToArray();
        output.WriteLine();
        output.WriteLine(Title);
        output.WriteLine(Machine);
        output.WriteLine();
        output.WriteLine(Line(Columns));
        output.WriteLine(string.Join("  ", widths.Select(width => new string('-', width))));
        foreach (var row in Rows)
        {
            output.WriteLine(Line(row));
        }

        foreach (var note in Notes)
        {
            output.WriteLine();
            output.WriteLine(note);
        }

        string Line(IReadOnlyList<string> cells) =>
            string.Join("  ", cells.Select((cell, i) => i == 0 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i])));
    }

    /// <summary>Writes <c>artifacts/benchmarks/{scenario}.json</c> in the current folder.</summary>
    public async Task SaveAsync(string scenario, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateDirectory(Path.Combine("artifacts", "benchmarks"));
        var file = Path.Combine(folder.FullName, scenario + ".json");
        await using var stream = File.Create(file);
        await JsonSerializer.SerializeAsync(stream, this, ReportJsonContext.Default.Report, cancellationToken);
        Console.WriteLine();
        Console.WriteLine($"Written to {file}");
    }

    public static string Number(double value, string format = "0.0") => value.ToString(format, CultureInfo.InvariantCulture);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(Report))]
internal sealed partial class ReportJsonContext : JsonSerializerContext;
