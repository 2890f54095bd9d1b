using System.Globalization;
using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Transports;

/// <summary>The door of every connection, whatever its transport.</summary>
internal static class ConnectionAdmission
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    /// <summary>Takes a place for a connection of this user.</summary>
    /// <param name="context">The request.</param>
    /// <param name="userId">Whose connection.</param>
    /// <param name="place">The place; dispose it when the connection has ended, or did not come about.</param>
    /// <returns>Why there is none: the answer to give.</returns>
    public static ProblemResult? TryAdmit(HttpContext context, string userId, out ConnectionRegistry.Place? place)
    {
        var refusal = context.RequestServices.GetRequiredService<ConnectionRegistry>().TryAdmit(userId, out place);
        if (refusal == AdmissionRefusal.None)
        {
            return null;
        }

        context.Response.Headers.RetryAfter = ((int)RetryAfter.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        return refusal switch
        {
            AdmissionRefusal.Draining => new(
                StatusCodes.Status503ServiceUnavailable, ProblemCodes.Draining, "This instance is about to stop; connect again."),
            AdmissionRefusal.TooManyConnectionsOfUser => new(
                StatusCodes.Status429TooManyRequests, ProblemCodes.TooManyConnections, "You have too many connections open."),
            _ => new(
                StatusCodes.Status429TooManyRequests, ProblemCodes.TooManyConnections, "This instance has too many connections open."),
        };
    }
}
