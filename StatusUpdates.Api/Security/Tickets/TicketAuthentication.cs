using System.Security.Claims;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;
using StatusUpdates.Api.Errors;
using StatusUpdates.Data.Tickets;

namespace StatusUpdates.Api.Security.Tickets;

/// <summary>Lets a ticket stand for the token that it was made with.</summary>
internal static class TicketAuthentication
{
    /// <summary>
    /// Uses the ticket up, whatever becomes of the request, and authenticates the request by what it carries.
    /// Called once for a request: the scheme keeps its result.
    /// </summary>
    public static async Task AuthenticateAsync(MessageReceivedContext context, string ticket)
    {
        var services = context.HttpContext.RequestServices;
        TicketGrant? grant;
        try
        {
            // Not cut short when the client leaves: one quick statement, and the scheme would log the leaving as an error.
            grant = await services.GetRequiredService<TicketStore>().RedeemAsync(ticket, CancellationToken.None);
        }
        catch (Exception e) when (DatabaseFailures.IsUnavailable(e))
        {
            // Told by the challenge, for the same reason.
            context.Fail(e);
            return;
        }

        // The token's own time is judged by the clock, and with the tolerance, that the token would be judged by.
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        if (grant is null || grant.TokenExpiresAt < now - BearerOptionsSetup.ClockSkew)
        {
            context.Fail(new InvalidTicketException());
            return;
        }

        var token = new AccessToken(grant.UserId, grant.TokenExpiresAt) { IssuedAt = grant.TokenIssuedAt };
        context.Principal = new ClaimsPrincipal(token.ToClaims(context.Scheme.Name));
        context.Success();
    }
}

/// <summary>The ticket never was, is used, or is over. One answer for all three: who guesses learns nothing.</summary>
internal sealed class InvalidTicketException() : SecurityTokenException("The ticket is not valid.");

/// <summary>More than one credential in the query (RFC 6750, section 3.1: 400).</summary>
internal sealed class AmbiguousCredentialException() : SecurityTokenException("Both a token and a ticket were given.");
