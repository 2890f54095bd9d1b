namespace StatusUpdates.Benchmarks.Bursts;

/// <summary>A kind of load: bursts of updates, each appended in one commit, published, and awaited.</summary>
/// <param name="Name">The name of its rows in the report.</param>
/// <param name="Users">Number of users.</param>
/// <param name="SocketsPerUser">Sockets of each user.</param>
/// <param name="UpdatesPerUser">Updates for each user in one burst, each of another generation. The users' updates are interleaved.</param>
internal sealed record BurstLoad(string Name, int Users, int SocketsPerUser, int UpdatesPerUser);
