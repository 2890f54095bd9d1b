using System.Globalization;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Api.Errors;

/// <summary>Tells an absent or overloaded database from a mistake of ours.</summary>
internal static class DatabaseFailures
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(2);

    /// <summary>Whether any exception in the chain says that the database could not serve now.</summary>
    public static bool IsUnavailable(Exception exception)
    {
        if (DatabaseErrors.MayPass(exception))
        {
            return true;
        }

        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (e is TimeoutException)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>503 with <c>Retry-After</c>.</summary>
    public static ProblemResult Answer(HttpContext context)
    {
        context.Response.Headers.RetryAfter = ((int)RetryAfter.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        return new(
            StatusCodes.Status503ServiceUnavailable, ProblemCodes.DatabaseUnavailable, "The database does not answer; try again soon.");
    }
}
