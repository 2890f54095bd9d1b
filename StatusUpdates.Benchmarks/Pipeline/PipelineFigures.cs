using StatusUpdates.Benchmarks.Latency;

namespace StatusUpdates.Benchmarks.Pipeline;

/// <summary>The figures of one run of one load.</summary>
/// <param name="PerSecond">Updates per second, from the first call to the last receipt.</param>
/// <param name="ToReceipt">From the call of <c>UpdateStatusAsync</c> to the client's receipt.</param>
/// <param name="ToReturn">From the call to its return, when the update is durable.</param>
/// <param name="Worker">Processors used by the worker.</param>
/// <param name="Api">Processors used by the API.</param>
/// <param name="Postgres">Processors used by PostgreSQL.</param>
/// <param name="Redis">Processors used by Redis.</param>
/// <param name="Load">Processors used by this process, the clients.</param>
/// <param name="Others">Processors used by everything else on the machine.</param>
internal sealed record PipelineFigures(
    double PerSecond,
    Distribution ToReceipt,
    Distribution ToReturn,
    double Worker,
    double Api,
    double Postgres,
    double Redis,
    double Load,
    double Others);
