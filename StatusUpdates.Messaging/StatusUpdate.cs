using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Messaging;

/// <summary>
/// One change of one generation, as it is in the log, on Redis and in every response. Immutable; safe to share between threads.
/// A publisher that knows only the first version of this contract omits <see cref="Seq"/> and <see cref="TraceParent"/>.
/// </summary>
public sealed record StatusUpdate
{
    /// <summary>The generation, <c>gen-…</c>.</summary>
    public required string GenerationId { get; init; }

    /// <summary>Its owner; <see cref="Seq"/> is a position in the owner's log.</summary>
    public required string UserId { get; init; }

    /// <summary>The name of the type that was requested, such as <c>chat</c>: see <see cref="GenerationNames"/>.</summary>
    public required string Type { get; init; }

    /// <summary>The status from this update on.</summary>
    public required GenerationStatus Status { get; init; }

    /// <summary>When it happened, in Unix milliseconds.</summary>
    public required long Timestamp { get; init; }

    /// <summary>Position in the user's log (1, 2, 3, …, without gaps); null when the publisher keeps no log.</summary>
    public long? Seq { get; init; }

    /// <summary>
    /// The cursor from which to continue after this update, in the format of <see cref="LogPosition"/>: its <see cref="Seq"/> with a check of its
    /// identity. Null if there is no seq or the check is not known.
    /// </summary>
    public string? Cursor { get; init; }

    /// <summary>Details; absent when there are none.</summary>
    public StatusMetadata? Metadata { get; init; }

    /// <summary>The cursor of the previous update in the log. Sent between services, not shown to clients.</summary>
    // The first of the members that clients do not see, and these the last: see SealedUpdate.
    public string? After { get; init; }

    /// <summary>The trace it belongs to (W3C Trace Context, <c>traceparent</c>). Sent between services, not shown to clients.</summary>
    [JsonPropertyName("traceparent")]
    public string? TraceParent { get; init; }

    /// <summary>Its position in the log, with the check if it is known; null if it is in no log.</summary>
    [JsonIgnore]
    public LogPosition? Position => Seq is { } seq ? LogPosition.Of(seq, Cursor) : null;

    /// <summary>The update as clients see it: without what is only sent between services.</summary>
    public StatusUpdate ForClients() => this is { TraceParent: null, After: null } ? this : this with { TraceParent = null, After = null };
}

/// <summary>Details of a <see cref="StatusUpdate"/>. Members that this version does not know are kept and passed on.</summary>
public sealed record StatusMetadata
{
    /// <summary>Where the results are, on <c>completed</c>.</summary>
    public IReadOnlyList<string>? ResultUrls { get; init; }

    /// <summary>What it cost, in tokens.</summary>
    public long? TokensUsed { get; init; }

    /// <summary>Progress in percent, 0 to 100.</summary>
    public int? Progress { get; init; }

    /// <summary>The number of the attempt, from 1; it never decreases.</summary>
    public int? Attempt { get; init; }

    /// <summary>Why it failed or is retried, in words for people; never a stack trace.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>The earliest time of the next attempt, in Unix milliseconds; on <c>pending</c> after a failed attempt.</summary>
    public long? RetryAt { get; init; }

    /// <summary>Members that this version does not know. Has a setter because the JSON source generator cannot initialize it.</summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement>? Additional { get; set; }
}
