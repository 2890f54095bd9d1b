namespace StatusUpdates.Worker.Attempts;

/// <summary>Why a running attempt has to stop. Only the first reason counts.</summary>
internal enum StopReason
{
    /// <summary>Its owner asked to cancel it.</summary>
    CancelRequested,

    /// <summary>The attempt may write nothing more: another one has the lease.</summary>
    LeaseLost,

    /// <summary>This process is stopping.</summary>
    ShuttingDown,

    /// <summary>It took longer than <see cref="Data.Queue.AttemptOptions.Timeout"/>.</summary>
    TimedOut,

    /// <summary>Its deadline passed: a result is no longer of use.</summary>
    DeadlinePassed,
}
