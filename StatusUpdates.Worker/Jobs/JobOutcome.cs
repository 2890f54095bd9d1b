namespace StatusUpdates.Worker.Jobs;

/// <summary>How an attempt ended, as this worker sees it.</summary>
internal enum JobOutcome
{
    /// <summary>With results.</summary>
    Completed,

    /// <summary>The provider failed, or took too long, for good or for the last time.</summary>
    Failed,

    /// <summary>The provider failed, or took too long, and the generation waits for its next attempt.</summary>
    Retried,

    /// <summary>Its owner stopped it.</summary>
    Canceled,

    /// <summary>Back in the queue: this worker stops.</summary>
    Released,

    /// <summary>Another attempt had begun, or the generation had ended otherwise: nothing was written.</summary>
    Lost,

    /// <summary>Its outcome could not be written: the heartbeat hands the generation back, or its lease runs out.</summary>
    Dropped,
}

/// <summary>Why a running attempt is to stop. The first reason counts.</summary>
internal enum StopReason
{
    /// <summary>Its owner asked for it.</summary>
    CancelRequested,

    /// <summary>The attempt may write no more: the lease went to another one.</summary>
    LeaseLost,

    /// <summary>This process ends.</summary>
    ShuttingDown,

    /// <summary>It took longer than <see cref="WorkerOptions.JobTimeout"/>.</summary>
    TimedOut,

    /// <summary>Its deadline passed: a result is of no more use.</summary>
    DeadlinePassed,
}
