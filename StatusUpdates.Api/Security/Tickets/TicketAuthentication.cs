using System.Security.Claims;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;
using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Security.Tickets;

/// <summary>Authenticates by a ticket instead of the token that it was created with.</summary>
internal static class TicketAuthentication
{
    /// <summary>
    /// Uses up the ticket, whatever the request's outcome, and authenticates the request as the token's user.
    /// Called once per request: the scheme caches its result.
    /// </summary>
    public static async Task AuthenticateAsync(MessageReceivedContext context, string ticket)
    {
        var services = context.HttpContext.RequestServices;
        AccessToken? token;
        try
        {
            // Not canceled when the client disconnects: it is one quick statement, and the scheme would log the cancellation as an error.
            token = await services.GetRequiredService<TicketStore>().RedeemAsync(ticket, CancellationToken.None);
        }
        catch (Exception e) when (DatabaseFailures.IsUnavailable(e))
        {
            // Reported by the challenge, since the scheme would log an exception as an error.
            context.Fail(e);
            return;
        }

        // The token's expiry is checked with the same clock and tolerance as the token itself would be.
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        if (token is null || token.ExpiresAt < now - AccessToken.ClockSkew)
        {
            context.Fail(new InvalidTicketException());
            return;
        }

        context.Principal = new ClaimsPrincipal(token.ToClaims(context.Scheme.Name));
        context.Success();
    }
}

/// <summary>The ticket never existed, was used, or has expired. The same response for all three, so that guessing reveals nothing.</summary>
internal sealed class InvalidTicketException() : SecurityTokenException("The ticket is not valid.");

/// <summary>More than one credential in the query (RFC 6750, section 3.1: 400).</summary>
internal sealed class AmbiguousCredentialException() : SecurityTokenException("Both a token and a ticket were given.");
