namespace StatusUpdates.Api.Feeds;

/// <summary>The feeds of connected users. Read by the API.</summary>
public sealed class FeedOptions
{
    public const string SectionName = "Gateway:Feeds";

    /// <summary>
    /// Whether updates without a <c>seq</c>, from publishers that keep no log, are passed on live. They cannot be told from updates that anyone
    /// with permission to publish on Redis has forged.
    /// </summary>
    public bool UpdatesWithoutSeq { get; set; } = true;

    /// <summary>How many of the latest frames a feed keeps for its connections. More than a usual burst for one user.</summary>
    public int RingFrames { get; internal set; } = 256;

    /// <summary>How many bytes of frames a feed keeps.</summary>
    public int RingBytes { get; internal set; } = 256 * 1024;

    /// <summary>After how long without an update a feed releases its ring's memory.</summary>
    public TimeSpan RingIdle { get; internal set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a message that arrives early waits for its predecessor before the log is read.</summary>
    public TimeSpan ReorderWait { get; internal set; } = TimeSpan.FromMilliseconds(20);

    /// <summary>How often every feed's head is compared with the log. The promise is 2 s, including the time that the comparison takes.</summary>
    public TimeSpan SweepInterval { get; internal set; } = TimeSpan.FromSeconds(1.5);

    /// <summary>How long a feed stays open after its last connection has closed, so that a page that is reloaded finds it.</summary>
    public TimeSpan Linger { get; internal set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an opening feed waits for Redis to acknowledge its subscription; after that the sweep covers it.</summary>
    public TimeSpan SubscribeWait { get; internal set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The maximum number of updates in one read of the log.</summary>
    public int PageSize { get; internal set; } = 128;

    /// <summary>
    /// How long one read of the log may take, and how long an opening connection may wait for a slot to read; after that the database counts
    /// as away.
    /// </summary>
    public TimeSpan ReadTimeout { get; internal set; } = TimeSpan.FromSeconds(5);

    /// <summary>How many connections of this instance replay from the log concurrently; the others wait for a slot.</summary>
    public int MaxConcurrentReplays { get; internal set; } = 16;

    /// <summary>How many of these slots one user may hold.</summary>
    public int MaxReplaysOfUser { get; internal set; } = 4;

    /// <summary>How many feeds of this instance repair gaps from the log concurrently. Separate from replays, which could starve repairs.</summary>
    public int MaxConcurrentRepairs { get; internal set; } = 8;
}
