namespace StatusUpdates.Benchmarks.Bursts;

/// <summary>A shape of load: bursts of updates, each appended in one commit, published, and waited for.</summary>
/// <param name="Name">Of its rows in the report.</param>
/// <param name="Users">How many users.</param>
/// <param name="SocketsOfEach">Sockets of each user.</param>
/// <param name="UpdatesOfEach">Updates for each user in one burst, of as many generations. The users take turns.</param>
internal sealed record BurstLoad(string Name, int Users, int SocketsOfEach, int UpdatesOfEach);
