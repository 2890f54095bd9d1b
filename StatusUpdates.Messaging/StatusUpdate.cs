using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Messaging;

/// <summary>
/// One change of one generation, as it stands in the log, on Redis and in every answer. Immutable; safe to share between threads.
/// A publisher that knows only the first version of this contract leaves out <see cref="Seq"/> and <see cref="TraceParent"/>.
/// </summary>
public sealed record StatusUpdate
{
    /// <summary>The generation, <c>gen-…</c>.</summary>
    public required string GenerationId { get; init; }

    /// <summary>Its owner, whose log <see cref="Seq"/> counts.</summary>
    public required string UserId { get; init; }

    /// <summary>What was asked for.</summary>
    public required GenerationType Type { get; init; }

    /// <summary>The status from this update on.</summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>When it happened, in Unix milliseconds.</summary>
    public required long Timestamp { get; init; }

    /// <summary>Position in the user's log (1, 2, 3, …, without gaps); null when the publisher keeps no log.</summary>
    public long? Seq { get; init; }

    /// <summary>
    /// Where to go on from after it, as <see cref="LogPosition"/> writes it: its <see cref="Seq"/> with a check of what it is. Null where there is no
    /// seq, or the check is not known.
    /// </summary>
    public string? Cursor { get; init; }

    /// <summary>The cursor of the update before it in the log. Travels between services, is not shown to clients.</summary>
    public string? After { get; init; }

    /// <summary>The trace it belongs to (W3C Trace Context, <c>traceparent</c>). Travels between services, is not shown to clients.</summary>
    [JsonPropertyName("traceparent")]
    public string? TraceParent { get; init; }

    /// <summary>Details; absent when there are none.</summary>
    public StatusMetadata? Metadata { get; init; }

    /// <summary>Its place in the log, with the check where it is known; null where it is in none.</summary>
    [JsonIgnore]
    public LogPosition? Position => Seq is { } seq ? LogPosition.Of(seq, Cursor) : null;
}

/// <summary>Details of a <see cref="StatusUpdate"/>. Members that this version does not know are kept and passed on.</summary>
public sealed record StatusMetadata
{
    /// <summary>Where the results are, on <c>completed</c>.</summary>
    public IReadOnlyList<string>? ResultUrls { get; init; }

    /// <summary>What it cost, in tokens.</summary>
    public long? TokensUsed { get; init; }

    /// <summary>How far it is, in percent: 0 to 100.</summary>
    public int? Progress { get; init; }

    /// <summary>Which try this is, from 1; it only rises.</summary>
    public int? Attempt { get; init; }

    /// <summary>Why it failed, or why it is tried again, for people; never a stack trace.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>When it is tried again at the earliest, in Unix milliseconds; on <c>pending</c> after an attempt that failed.</summary>
    public long? RetryAt { get; init; }

    /// <summary>Members that this version does not know. Has a setter because the JSON source generator cannot initialise it.</summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement>? Additional { get; set; }
}
