namespace StatusUpdates.Webhooks.Replays;

/// <summary>The outcome of a request for a test or a replay.</summary>
public enum ReplayOutcome
{
    /// <summary>It is now pending.</summary>
    Pending,

    /// <summary>This user has no such webhook, or the webhook has no such delivery.</summary>
    NotFound,

    /// <summary>The webhook is disabled.</summary>
    Disabled,

    /// <summary>The webhook has not accepted a delivery at its current URL yet.</summary>
    Unproven,

    /// <summary>The delivery, or another test, was pending before.</summary>
    AlreadyPending,

    /// <summary>Retention has removed an update that would have to be delivered.</summary>
    Gone,

    /// <summary>The range ends after the webhook's position, or before its beginning.</summary>
    BadRange,

    /// <summary>The range is longer than <see cref="ReplayStore.MaxReplay"/>.</summary>
    TooMany,

    /// <summary>More than <see cref="ReplayStore.MaxPending"/> deliveries of the webhook are pending.</summary>
    TooManyPending,
}

/// <summary>The result of a replay of a range.</summary>
/// <param name="Outcome">Its outcome.</param>
/// <param name="Count">How many of its updates are now pending, including those that were pending before.</param>
/// <param name="Position">The webhook's position in the log: later entries are delivered anyway.</param>
/// <param name="Oldest">The oldest remaining entry of the log.</param>
public sealed record RangeReplay(ReplayOutcome Outcome, int Count, long Position, long Oldest);
