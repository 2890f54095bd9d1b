using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>A queued change, and the outcome that its caller waits for.</summary>
internal sealed class PendingAppend(StatusChange change, long since) : TaskCompletionSource<AppendResult>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    public StatusChange Change => change;

    /// <summary>When it was queued, as a timestamp of the clock.</summary>
    public long Since => since;

    /// <summary>Whether it has an outcome, or its caller has stopped waiting. A change that was not sent by then is never sent.</summary>
    public bool IsCompleted => Task.IsCompleted;
}
