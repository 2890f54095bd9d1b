using System.Security.Claims;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Security.QueryCredentials;

namespace StatusUpdates.Api.Security;

/// <summary>Where a token may come from, whose it must be, and how a refusal is told (RFC 6750, sections 2 and 3).</summary>
internal sealed class BearerEvents : JwtBearerEvents
{
    public override Task MessageReceived(MessageReceivedContext context)
    {
        // The header wins, as it does for clients that can set one.
        if (context.Request.Headers.Authorization.Count == 0)
        {
            context.Token = context.HttpContext.GetQueryCredential()?.Token;
        }

        return Task.CompletedTask;
    }

    public override Task TokenValidated(TokenValidatedContext context)
    {
        if (AccessToken.Of(context.Principal?.Identity as ClaimsIdentity) is null)
        {
            context.Fail(new SecurityTokenException("The token's sub is missing, or is no user id."));
        }

        return Task.CompletedTask;
    }

    public override async Task Challenge(JwtBearerChallengeContext context)
    {
        context.HandleResponse();

        // Only fixed texts: what a token says of itself does not go into a header.
        var response = context.Response;
        if (context.AuthenticateFailure is null)
        {
            response.Headers.WWWAuthenticate = "Bearer";
            await new ProblemResult(
                    StatusCodes.Status401Unauthorized, ProblemCodes.Unauthorized, "An access token is needed: Authorization: Bearer <token>.")
                .ExecuteAsync(context.HttpContext);
            return;
        }

        var reason = Reason(context.AuthenticateFailure);
        response.Headers.WWWAuthenticate = $"Bearer error=\"invalid_token\", error_description=\"{reason}\"";
        await new ProblemResult(StatusCodes.Status401Unauthorized, ProblemCodes.InvalidToken, reason + ".").ExecuteAsync(context.HttpContext);
    }

    public override Task Forbidden(ForbiddenContext context)
    {
        context.Response.Headers.WWWAuthenticate = "Bearer error=\"insufficient_scope\"";
        return ProblemResult.Of(StatusCodes.Status403Forbidden).ExecuteAsync(context.HttpContext);
    }

    private static string Reason(Exception failure) => failure switch
    {
        SecurityTokenExpiredException => "The token has expired",
        SecurityTokenNotYetValidException => "The token is not valid yet",
        SecurityTokenNoExpirationException => "The token has no expiry",
        SecurityTokenInvalidAudienceException => "The token is for another audience",
        SecurityTokenInvalidIssuerException => "The token is from another issuer",
        _ => "The token is not valid",
    };
}
