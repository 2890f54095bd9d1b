using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Bursts;

/// <summary>The figures of one run of bursts.</summary>
internal sealed record BurstFigures
{
    public required long Deliveries { get; init; }

    public required long Bytes { get; init; }

    public required long Updates { get; init; }

    /// <summary>From the publishing of a burst to its last receipt, in seconds; the sum over all bursts.</summary>
    public required double DeliverySeconds { get; init; }

    /// <summary>The total duration of the appends, in seconds.</summary>
    public required double AppendSeconds { get; init; }

    /// <summary>Processor time of the run, from the first append to the last receipt.</summary>
    public required CpuReading Cpu { get; init; }

    /// <summary>The part of <see cref="Cpu"/> that was used while updates were delivered.</summary>
    public required CpuReading DeliveryCpu { get; init; }

    public double PerSecond => Deliveries / DeliverySeconds;

    public double PerMillion(double cpuSeconds) => cpuSeconds / Deliveries * 1e6;

    /// <summary>Processors in use while updates were delivered.</summary>
    public double Cores(double deliveryCpuSeconds) => deliveryCpuSeconds / DeliverySeconds;
}
