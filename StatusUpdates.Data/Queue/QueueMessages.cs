namespace StatusUpdates.Data.Queue;

/// <summary>The <c>errorMessage</c> that users read when the queue ends a generation.</summary>
public static class QueueMessages
{
    /// <summary>Used by the claimer for a pending generation, and by the worker for a running one.</summary>
    public const string DeadlinePassed = "The generation was not finished by its deadline.";
}
