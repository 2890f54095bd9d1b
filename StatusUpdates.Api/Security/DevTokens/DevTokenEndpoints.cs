using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Security.DevTokens;

/// <summary>
/// <c>POST /api/v1/dev/token</c> and <c>/api/v1/dev/worker-token</c>: a token for any user, or worker, so that the page, curl and workers work out of
/// the box. Development only.
/// </summary>
internal static class DevTokenEndpoints
{
    private static readonly string NameError = $"Must be a string of 1 to {UserIds.MaxLength} characters, without U+0000 or lone surrogates.";

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

        app.MapPost("/api/v1/dev/worker-token", IssueForWorker)
            .AllowAnonymous()
            .WithName("CreateDevelopmentWorkerToken")
            .WithTags("Development")
            .WithSummary("Creates an access token for a worker")
            .ProducesProblems(StatusCodes.Status400BadRequest, StatusCodes.Status429TooManyRequests);
    }

    private static Results<Ok<Success<DevToken>>, ProblemResult> Issue(DevTokenRequest request, DevTokenIssuer issuer) =>
        UserIds.IsValid(request.UserId)
            ? TypedResults.Ok(new Success<DevToken>(issuer.Issue(request.UserId)))
            : ProblemResult.Invalid("userId", NameError);

    private static Results<Ok<Success<DevToken>>, ProblemResult> IssueForWorker(DevWorkerTokenRequest request, DevTokenIssuer issuer)
    {
        var errors = new FieldErrors();
        var name = request.Name ?? "worker";
        if (!UserIds.IsValid(name))
        {
            errors.Add("name", NameError);
        }

        string[] tasks = [.. (request.Tasks ?? [WorkerToken.AnyTask]).OfType<string>()];
        if (request.Tasks is not null && (tasks.Length is 0 or > WorkerToken.MaxTasks || tasks.Length < request.Tasks.Count || !tasks.All(IsTask)))
        {
            errors.Add("tasks", $"Must be a list of 1 to {WorkerToken.MaxTasks} names of tasks ({GenerationNames.Pattern}), or of \"{WorkerToken.AnyTask}\" for all.");
        }

        return errors.IsEmpty
            ? TypedResults.Ok(new Success<DevToken>(issuer.IssueForWorker(name, tasks)))
            : ProblemResult.Invalid(errors);
    }

    private static bool IsTask(string name) => name == WorkerToken.AnyTask || GenerationNames.IsValid(name);
}
