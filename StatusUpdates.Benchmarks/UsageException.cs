namespace StatusUpdates.Benchmarks;

/// <summary>The program was called with invalid arguments; the message lists the valid ones.</summary>
internal sealed class UsageException(string message) : Exception(message);
