namespace StatusUpdates.Data.Generations;

/// <summary>How many generations a user may have, the one that is submitted included.</summary>
/// <param name="MaxPending">Pending at once.</param>
/// <param name="MaxStored">Of any status.</param>
public sealed record SubmissionQuota(long MaxPending, long MaxStored);

/// <summary>A user has as many generations as may be: nothing was submitted.</summary>
/// <param name="isOfPending">Which limit it is: of those that are pending, else of all that are stored.</param>
public sealed class QuotaReachedException(bool isOfPending) : Exception("The user has as many generations as may be.")
{
    /// <summary>Whether too many are pending; else too many are stored.</summary>
    public bool IsOfPending => isOfPending;
}
