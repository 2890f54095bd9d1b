namespace StatusUpdates.Data.Queue;

/// <summary>The <c>errorMessage</c> that users read when the queue ends a generation.</summary>
public static class QueueMessages
{
    /// <summary>Used by the claimer for a pending generation, and by the worker for a running one.</summary>
    public const string DeadlinePassed = "The generation was not finished by its deadline.";

    /// <summary>A worker reported a failure without saying why.</summary>
    public const string NoMessage = "The provider failed without a message.";

    /// <summary>An attempt took longer than <see cref="AttemptOptions.Timeout"/>.</summary>
    public static string TimedOut(TimeSpan limit) => $"The generation did not finish within {limit}.";
}
