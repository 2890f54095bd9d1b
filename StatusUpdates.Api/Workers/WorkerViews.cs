using System.Text.Json;
using System.Text.Json.Serialization;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Workers;

/// <summary>What a claim was granted.</summary>
/// <param name="Generations">The generations to do; none if there was nothing to do in time.</param>
internal sealed record ClaimView(IReadOnlyList<LeaseView> Generations);

/// <summary>A generation that is leased to the worker.</summary>
internal sealed record LeaseView
{
    /// <summary>The generation.</summary>
    public required string Id { get; init; }

    /// <summary>The attempt: every call for this generation has to state it.</summary>
    public required int Attempt { get; init; }

    /// <summary>How many attempts have failed before.</summary>
    public required int Failures { get; init; }

    /// <summary>Its owner.</summary>
    public required string UserId { get; init; }

    /// <summary>Its type.</summary>
    public required string Type { get; init; }

    /// <summary>What to do.</summary>
    public required string Task { get; init; }

    /// <summary>The user's text.</summary>
    public required string Prompt { get; init; }

    /// <summary>What the user asked for in addition; empty if nothing.</summary>
    public required JsonElement Options { get; init; }

    /// <summary>The time after which a result is of no use.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>How long the attempt may take, from the claim on: until the deadline, or the limit of one attempt.</summary>
    public required double SecondsLeft { get; init; }

    /// <summary>The end of the lease, unless it is extended; by the clock of this instance.</summary>
    public required DateTimeOffset LeaseExpiresAt { get; init; }

    /// <summary>The trace of the claim (W3C Trace Context).</summary>
    [JsonPropertyName("traceparent")]
    public string? TraceParent { get; init; }
}

/// <summary>An attempt at a generation.</summary>
/// <param name="Id">The generation.</param>
/// <param name="Attempt">The attempt.</param>
internal sealed record AttemptRef(string Id, int Attempt);

/// <summary>An attempt that has to stop.</summary>
/// <param name="Id">The generation.</param>
/// <param name="Attempt">The attempt.</param>
/// <param name="Reason">Why: <c>cancel_requested</c>, <c>deadline_passed</c> or <c>timed_out</c>.</param>
internal sealed record StopView(string Id, int Attempt, string Reason);

/// <summary>The state of a worker's leases.</summary>
/// <param name="LeaseExpiresAt">The end of the leases that were extended; by the clock of this instance.</param>
/// <param name="NextSeconds">When the next heartbeat is due at the latest.</param>
/// <param name="Stop">Listed attempts that have to stop; their leases are not extended.</param>
/// <param name="Lost">Listed attempts that the worker does not hold.</param>
/// <param name="Unlisted">Attempts that the worker holds and did not list; their leases are not extended.</param>
internal sealed record HeartbeatView(
    DateTimeOffset LeaseExpiresAt,
    double NextSeconds,
    IReadOnlyList<StopView> Stop,
    IReadOnlyList<AttemptRef> Lost,
    IReadOnlyList<AttemptRef> Unlisted);

/// <summary>What became of a generation.</summary>
/// <param name="Status">Its status.</param>
/// <param name="Seq">The number of this update in its owner's log.</param>
/// <param name="RetryAt">With <c>pending</c>: when the next attempt begins at the earliest; absent if at once.</param>
internal sealed record OutcomeView(GenerationStatus Status, long Seq, DateTimeOffset? RetryAt)
{
    public static OutcomeView Of(StatusUpdate update) => new(
        update.Status,
        update.Seq!.Value,
        update.Metadata?.RetryAt is { } retryAt ? DateTimeOffset.FromUnixTimeMilliseconds(retryAt) : null);
}

/// <summary>A stored result.</summary>
/// <param name="Url">Where it is served: complete with this address.</param>
internal sealed record UploadView(string Url);
