using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Bursts;

/// <summary>What one run of bursts came to.</summary>
internal sealed record BurstFigures
{
    public required long Deliveries { get; init; }

    public required long Bytes { get; init; }

    public required long Updates { get; init; }

    /// <summary>From the publishing of a burst to its last receipt, all bursts together, in seconds.</summary>
    public required double DeliverySeconds { get; init; }

    /// <summary>What the appends took, in seconds.</summary>
    public required double AppendSeconds { get; init; }

    /// <summary>Processor time of the run, from the first append to the last receipt.</summary>
    public required CpuReading Cpu { get; init; }

    /// <summary>The part of it while updates were delivered.</summary>
    public required CpuReading DeliveryCpu { get; init; }

    public double PerSecond => Deliveries / DeliverySeconds;

    public double PerMillion(double cpuSeconds) => cpuSeconds / Deliveries * 1e6;

    /// <summary>Processors in use while updates were delivered.</summary>
    public double Cores(double deliveryCpuSeconds) => deliveryCpuSeconds / DeliverySeconds;
}
