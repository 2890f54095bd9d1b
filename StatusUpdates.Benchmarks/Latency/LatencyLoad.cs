namespace StatusUpdates.Benchmarks.Latency;

/// <summary>A steady load.</summary>
/// <param name="Users">Number of users, with one socket each.</param>
/// <param name="Rate">Updates per second, distributed over the users round-robin.</param>
/// <param name="WarmUp">Duration of the warm-up, which is not measured.</param>
/// <param name="Duration">Duration of the measurement.</param>
internal sealed record LatencyLoad(int Users, int Rate, TimeSpan WarmUp, TimeSpan Duration);
