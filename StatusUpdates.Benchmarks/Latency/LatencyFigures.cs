using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Latency;

/// <summary>The figures of one run.</summary>
internal sealed record LatencyFigures
{
    public required Distribution Delivery { get; init; }

    public required Distribution Append { get; init; }

    public required double Seconds { get; init; }

    public required CpuReading Cpu { get; init; }

    public double PerSecond => Delivery.Count / Seconds;

    public double PerMillion(double cpuSeconds) => cpuSeconds / Delivery.Count * 1e6;
}

/// <summary>Durations in milliseconds.</summary>
internal sealed record Distribution(int Count, double P50, double P99, double Max)
{
    public static Distribution Of(IEnumerable<double> milliseconds)
    {
        var sorted = milliseconds.Order().ToArray();
        return new(sorted.Length, Statistics.Percentile(sorted, 0.5), Statistics.Percentile(sorted, 0.99), sorted[^1]);
    }
}
