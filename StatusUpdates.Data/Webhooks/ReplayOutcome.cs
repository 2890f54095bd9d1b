namespace StatusUpdates.Data.Webhooks;

/// <summary>What became of a wish to deliver something beside the log.</summary>
public enum ReplayOutcome
{
    /// <summary>It is pending now.</summary>
    Pending,

    /// <summary>This user has no such webhook, or it no such delivery.</summary>
    NotFound,

    /// <summary>The webhook is disabled: nothing is delivered to it.</summary>
    Disabled,

    /// <summary>The webhook has taken nothing yet at its present URL.</summary>
    Unproven,

    /// <summary>The delivery, or another test, was pending before.</summary>
    AlreadyPending,

    /// <summary>Retention has taken an update that would have to be told.</summary>
    Gone,

    /// <summary>The range does not end at or before the webhook's position, or ends before it begins.</summary>
    BadRange,

    /// <summary>The range is longer than <see cref="ReplayStore.MaxReplay"/>.</summary>
    TooMany,

    /// <summary>More than <see cref="ReplayStore.MaxPending"/> deliveries of the webhook are pending.</summary>
    TooManyPending,
}

/// <summary>What became of the replay of a range.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="Count">How many updates are pending now, those among them that were before included.</param>
/// <param name="Position">The webhook's position in the log: what comes after it is not yet delivered anyway.</param>
/// <param name="Oldest">The first entry of the log that is still there.</param>
public sealed record RangeReplay(ReplayOutcome Outcome, int Count, long Position, long Oldest);
