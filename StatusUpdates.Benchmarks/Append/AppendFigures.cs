using StatusUpdates.Benchmarks.Latency;
using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Append;

/// <summary>What one run of one case came to.</summary>
/// <param name="PerSecond">Durable updates in a second.</param>
/// <param name="Calls">How long callers waited.</param>
/// <param name="PerCommit">Updates that shared a transaction, on average; NaN where it was not counted.</param>
/// <param name="Cpu">Processor time of all of it, warm-up included.</param>
/// <param name="Seconds">How long that was.</param>
/// <param name="Updates">How many updates there were in it.</param>
internal sealed record AppendFigures(
    double PerSecond, Distribution Calls, double PerCommit, CpuReading Cpu, double Seconds, long Updates)
{
    public double Microseconds(double cpuSeconds) => cpuSeconds / Updates * 1e6;
}
