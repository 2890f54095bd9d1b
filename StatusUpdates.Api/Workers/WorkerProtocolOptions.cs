namespace StatusUpdates.Api.Workers;

/// <summary>Workers that connect to the API. Nothing here is a setting: only tests change it.</summary>
internal sealed class WorkerProtocolOptions
{
    /// <summary>
    /// How often the queue is polled for waiting claims if no message from Redis announces work, and the longest delay until an expired lease or a
    /// deadline is noticed.
    /// </summary>
    public TimeSpan PollInterval { get; internal set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long this instance listens for work and for cancel requests after the last claim or heartbeat.</summary>
    public TimeSpan Linger { get; internal set; } = TimeSpan.FromMinutes(5);

    /// <summary>How many claims and heartbeats may wait at once on this instance.</summary>
    public int MaxWaiting { get; internal set; } = 10_000;
}
