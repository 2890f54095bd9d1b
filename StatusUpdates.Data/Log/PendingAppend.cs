using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>A change that waits for its outcome, and who waits for it.</summary>
internal sealed class PendingAppend(StatusChange change, long since) : TaskCompletionSource<AppendResult>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    public StatusChange Change => change;

    /// <summary>When it came, as a timestamp of the clock.</summary>
    public long Since => since;

    /// <summary>Nobody waits any more. Found before the change was sent, it never will be.</summary>
    public bool IsOver => Task.IsCompleted;
}
