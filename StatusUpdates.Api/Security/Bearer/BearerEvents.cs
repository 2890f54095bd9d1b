using System.Runtime.ExceptionServices;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Security.QueryCredentials;
using StatusUpdates.Api.Security.Tickets;

namespace StatusUpdates.Api.Security.Bearer;

/// <summary>Where a token is taken from, what its user must be, and the response to a refusal (RFC 6750, sections 2 and 3).</summary>
internal sealed class BearerEvents : JwtBearerEvents
{
    private static readonly ProblemResult IssuerUnavailable = new(
        ProblemCodes.Unavailable, "The token cannot be checked now: its issuer does not respond; try again soon.")
    {
        RetryAfter = TimeSpan.FromSeconds(2),
    };

    public override async Task MessageReceived(MessageReceivedContext context)
    {
        var query = context.HttpContext.GetQueryCredential();
        if (query is { Token: not null, Ticket: not null })
        {
            context.Fail(new AmbiguousCredentialException());
            return;
        }

        // The header takes precedence. A ticket next to it is ignored, and so not used up.
        if (query is null || context.Request.Headers.Authorization.Count > 0)
        {
            return;
        }

        if (query.Ticket is { } ticket)
        {
            await TicketAuthentication.AuthenticateAsync(context, ticket);
        }
        else
        {
            context.Token = query.Token;
        }
    }

    public override Task TokenValidated(TokenValidatedContext context)
    {
        if (AccessToken.Of(context.Principal?.Identity as ClaimsIdentity) is null)
        {
            context.Fail(new SecurityTokenException("The token's sub is missing or is not a valid user id."));
        }

        return Task.CompletedTask;
    }

    public override async Task Challenge(JwtBearerChallengeContext context)
    {
        context.HandleResponse();
        switch (context.AuthenticateFailure)
        {
            case null:
                await RespondAsync(context, "", new(ProblemCodes.Unauthorized, "An access token is required: Authorization: Bearer <token>."));
                break;
            case AmbiguousCredentialException:
                await RespondAsync(
                    context, " error=\"invalid_request\"", ProblemResult.Invalid("ticket", "Must not be given together with token."));
                break;
            case var failure when DatabaseFailures.IsUnavailable(failure):
                // Not the client's fault: handled and logged like any other database failure.
                ExceptionDispatchInfo.Throw(failure);
                break;
            case IssuerUnavailableException:
                await IssuerUnavailable.ExecuteAsync(context.HttpContext);
                break;
            case var failure:
                // Only fixed texts: the token's own content must not get into a header.
                var reason = Reason(failure);
                var code = failure is InvalidTicketException ? ProblemCodes.InvalidTicket : ProblemCodes.InvalidToken;
                await RespondAsync(context, $" error=\"invalid_token\", error_description=\"{reason}\"", new(code, reason + "."));
                break;
        }
    }

    public override Task Forbidden(ForbiddenContext context)
    {
        var isWorker = WorkerToken.Is(context.HttpContext.User);
        context.Response.Headers.WWWAuthenticate = "Bearer error=\"insufficient_scope\"" + (isWorker ? "" : $", scope=\"{WorkerToken.Scope}\"");
        return new ProblemResult(
            ProblemCodes.Forbidden,
            isWorker ? "This is a worker's token: it opens /api/v1/worker and nothing else." : $"A token with the scope {WorkerToken.Scope} is required.")
            .ExecuteAsync(context.HttpContext);
    }

    private static Task RespondAsync(JwtBearerChallengeContext context, string parameters, ProblemResult problem)
    {
        context.Response.Headers.WWWAuthenticate = "Bearer" + parameters;
        return problem.ExecuteAsync(context.HttpContext);
    }

    private static string Reason(Exception failure) => failure switch
    {
        SecurityTokenExpiredException => "The token has expired",
        SecurityTokenNotYetValidException => "The token is not valid yet",
        SecurityTokenNoExpirationException => "The token has no expiry",
        SecurityTokenInvalidAudienceException => "The token is for another audience",
        SecurityTokenInvalidIssuerException => "The token is from another issuer",
        RefusedHeaderException => failure.Message,
        InvalidTicketException => "The ticket was used, has expired, or never existed",
        _ => "The token is not valid",
    };
}
