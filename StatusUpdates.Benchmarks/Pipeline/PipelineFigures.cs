using StatusUpdates.Benchmarks.Latency;

namespace StatusUpdates.Benchmarks.Pipeline;

/// <summary>What one run of one load came to.</summary>
/// <param name="PerSecond">Updates in a second, from the first call to the last receipt.</param>
/// <param name="ToReceipt">From the call of <c>UpdateStatusAsync</c> to the client's receipt.</param>
/// <param name="ToReturn">From the call to its return: durable.</param>
/// <param name="Worker">Processors that the worker used.</param>
/// <param name="Api">The API.</param>
/// <param name="Postgres">PostgreSQL.</param>
/// <param name="Redis">Redis.</param>
/// <param name="Load">This process: the clients.</param>
/// <param name="Others">Everything else on the machine.</param>
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
