using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;

namespace StatusUpdates.Api.Security.DevTokens;

/// <summary><c>POST /api/v1/dev/token</c>: a token for any user, so that the page and curl work out of the box. Development only.</summary>
internal static class DevTokenEndpoints
{
    public static void AddDevTokens(this IHostApplicationBuilder builder) => builder.Services.AddSingleton<DevTokenIssuer>();

    public static void MapDevTokens(this WebApplication app)
    {
        if (!app.Environment.IsDevelopment() || !app.Services.GetRequiredService<DevTokenIssuer>().CanIssue)
        {
            return;
        }

        app.MapPost("/api/v1/dev/token", Issue)
            .AllowAnonymous()
            .WithName("CreateDevelopmentToken")
            .WithTags("Development")
            .WithSummary("Creates an access token for any user")
            .ProducesProblems(StatusCodes.Status400BadRequest, StatusCodes.Status429TooManyRequests);
    }

    private static Results<Ok<Success<DevToken>>, ProblemResult> Issue(DevTokenRequest request, DevTokenIssuer issuer) =>
        UserIds.IsValid(request.UserId)
            ? TypedResults.Ok(new Success<DevToken>(issuer.Issue(request.UserId)))
            : ProblemResult.Invalid(
                "userId", $"Must be a string of 1 to {UserIds.MaxLength} characters, without U+0000 or lone surrogates.");
}
