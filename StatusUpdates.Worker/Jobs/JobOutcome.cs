namespace StatusUpdates.Worker.Jobs;

/// <summary>How an attempt ended, as this worker sees it.</summary>
internal enum JobOutcome
{
    /// <summary>Completed with results.</summary>
    Completed,

    /// <summary>The provider failed or took too long, permanently or for the last time allowed.</summary>
    Failed,

    /// <summary>The provider failed or took too long, and the generation waits for its next attempt.</summary>
    Retried,

    /// <summary>Canceled by its owner.</summary>
    Canceled,

    /// <summary>Handed back to the queue: this worker is stopping.</summary>
    Released,

    /// <summary>Another attempt had begun, or the generation had already ended: this attempt's outcome was refused, and nothing was written.</summary>
    Lost,

    /// <summary>Its outcome could not be written: the heartbeat hands the generation back, or its lease expires.</summary>
    Dropped,
}
