using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Feeds;

/// <summary>Settings of the user feeds; configuration section <c>Gateway:Feeds</c>.</summary>
public sealed class FeedOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Gateway:Feeds";

    /// <summary>How many of the latest frames a feed keeps for its connections. Default 256.</summary>
    [Range(8, 65_536)]
    public int RingFrames { get; set; } = 256;

    /// <summary>How many bytes of frames a feed keeps. Default 256 KiB.</summary>
    [Range(4_096, 67_108_864)]
    public int RingBytes { get; set; } = 256 * 1024;

    /// <summary>After how long without an update a feed gives its ring's memory back. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan RingIdle { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a message that is ahead waits for its predecessor before the log is read. Default 20 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:01")]
    public TimeSpan ReorderWait { get; set; } = TimeSpan.FromMilliseconds(20);

    /// <summary>How often every feed's head is compared with the log. Default 1.5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:00:02")]
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromSeconds(1.5);

    /// <summary>How long a feed stays after its last connection has gone. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan Linger { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an opening feed waits for Redis to acknowledge its subscription; past that the sweep stands in. Default 500 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan SubscribeWait { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How many updates one read of the log takes. Default 128.</summary>
    [Range(1, 1_000)]
    public int PageSize { get; set; } = 128;

    /// <summary>
    /// How long one read of the log may take, and how long a connection that opens may wait for its turn to read; past that the database
    /// counts as away. Default 5 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan ReadTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How many connections of this instance replay from the log at once; the others wait their turn. Default 16.</summary>
    [Range(1, 1_000)]
    public int MaxConcurrentReplays { get; set; } = 16;

    /// <summary>How many of those may be of one user. Default 4.</summary>
    [Range(1, 1_000)]
    public int MaxReplaysOfUser { get; set; } = 4;

    /// <summary>How many feeds of this instance close gaps from the log at once. Apart from replays, so that they cannot starve it. Default 8.</summary>
    [Range(1, 1_000)]
    public int MaxConcurrentRepairs { get; set; } = 8;

    /// <summary>
    /// Whether updates without a <c>seq</c>, of publishers that keep no log, are passed on live. They cannot be told from what anybody who may publish on
    /// Redis makes up. Default true.
    /// </summary>
    public bool UpdatesWithoutSeq { get; set; } = true;
}

[OptionsValidator]
internal sealed partial class FeedOptionsValidator : IValidateOptions<FeedOptions>;
