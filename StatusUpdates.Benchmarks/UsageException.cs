namespace StatusUpdates.Benchmarks;

/// <summary>The program was called with something it does not have; the message says what it has.</summary>
internal sealed class UsageException(string message) : Exception(message);
