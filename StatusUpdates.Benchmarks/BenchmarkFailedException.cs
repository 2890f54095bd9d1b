namespace StatusUpdates.Benchmarks;

/// <summary>The system under measurement violated a guarantee, for example an update did not arrive. There are no figures to report.</summary>
internal sealed class BenchmarkFailedException(string message, Exception? inner = null) : Exception(message, inner);
