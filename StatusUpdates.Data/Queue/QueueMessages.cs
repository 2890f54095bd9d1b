namespace StatusUpdates.Data.Queue;

/// <summary>What users read as <c>errorMessage</c> when the queue ends a generation.</summary>
public static class QueueMessages
{
    /// <summary>Whoever finds it: the claimer of a pending one, the worker of a running one.</summary>
    public const string DeadlinePassed = "The generation was not finished by its deadline.";
}
