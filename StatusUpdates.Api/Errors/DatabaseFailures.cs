using System.Globalization;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Api.Errors;

/// <summary>Distinguishes an unavailable or overloaded database from a bug of ours.</summary>
internal static class DatabaseFailures
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(2);

    /// <summary>Whether any exception in the chain means that the database cannot serve requests now.</summary>
    public static bool IsUnavailable(Exception exception)
    {
        if (DatabaseErrors.IsTransient(exception))
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
    public static ProblemResult ToProblem(HttpContext context)
    {
        context.Response.Headers.RetryAfter = ((int)RetryAfter.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        return new(
            StatusCodes.Status503ServiceUnavailable, ProblemCodes.DatabaseUnavailable, "The database is unavailable; try again soon.");
    }
}
