using StatusUpdates.Benchmarks.Latency;
using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Append;

/// <summary>The figures of one run of one case.</summary>
/// <param name="PerSecond">Durable updates per second.</param>
/// <param name="Calls">The durations of the calls.</param>
/// <param name="PerCommit">Updates per transaction, on average.</param>
/// <param name="Cpu">Processor time of the whole run, including the warm-up.</param>
/// <param name="Seconds">Duration of the whole run.</param>
/// <param name="Updates">Number of updates in the whole run.</param>
internal sealed record AppendFigures(
    double PerSecond, Distribution Calls, double PerCommit, CpuReading Cpu, double Seconds, long Updates)
{
    public double Microseconds(double cpuSeconds) => cpuSeconds / Updates * 1e6;
}
