namespace StatusUpdates.Data.Generations;

/// <summary>How many generations a user may have, including the submitted one.</summary>
/// <param name="MaxPending">The maximum of pending ones.</param>
/// <param name="MaxStored">The maximum of any status.</param>
public sealed record SubmissionQuota(long MaxPending, long MaxStored);

/// <summary>The user has reached a limit: nothing was submitted.</summary>
/// <param name="isOfPending">Whether it is the limit of pending generations; otherwise that of all stored ones.</param>
public sealed class QuotaReachedException(bool isOfPending) : Exception("The user has reached the maximum number of generations.")
{
    /// <summary>Whether too many are pending; otherwise too many are stored.</summary>
    public bool IsOfPending => isOfPending;
}
