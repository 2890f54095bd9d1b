namespace StatusUpdates.Benchmarks.Latency;

/// <summary>A steady load.</summary>
/// <param name="Users">How many users, with one socket each.</param>
/// <param name="Rate">Updates in a second, of all users in turn.</param>
/// <param name="WarmUp">How long it goes on before anything counts.</param>
/// <param name="Duration">How long it counts.</param>
internal sealed record LatencyLoad(int Users, int Rate, TimeSpan WarmUp, TimeSpan Duration);
