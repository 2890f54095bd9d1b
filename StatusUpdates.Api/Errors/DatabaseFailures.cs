using StatusUpdates.Data.Database;

namespace StatusUpdates.Api.Errors;

/// <summary>Distinguishes an unavailable or overloaded database from a bug of ours.</summary>
internal static class DatabaseFailures
{
    public static readonly ProblemResult Problem = new(ProblemCodes.DatabaseUnavailable, "The database is unavailable; try again soon.")
    {
        RetryAfter = TimeSpan.FromSeconds(2),
    };

    /// <summary>Whether any exception in the chain means that the database cannot serve requests now.</summary>
    public static bool IsUnavailable(Exception exception) =>
        exception is TimeoutException
        || DatabaseErrors.IsTransient(exception)
        || (exception.InnerException is { } inner && IsUnavailable(inner));
}
