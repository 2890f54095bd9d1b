namespace StatusUpdates.Benchmarks;

/// <summary>What was measured broke a promise, such as an update that did not arrive: there is no figure to report.</summary>
internal sealed class BenchmarkFailedException(string message, Exception? inner = null) : Exception(message, inner);
