using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.RateLimiting;

namespace StatusUpdates.Api.Generations;

/// <summary>Submitting, listing and canceling generations.</summary>
internal static class GenerationEndpoints
{
    public const string Path = "/api/v1/generations";

    public static void AddGenerations(this IHostApplicationBuilder builder) =>
        builder.Services.AddSectionOptions<SubmissionOptions, SubmissionOptionsValidator>(SubmissionOptions.SectionName);

    public static void MapGenerations(this WebApplication app)
    {
        var group = app.MapPlainGroup(Path, "Generations");

        group.MapPost("/", SubmitGeneration.HandleAsync)
            .WithName("SubmitGeneration")
            .WithSummary("Submits a generation")
            .WithDescription(
                "With an Idempotency-Key the request can be retried safely: the same key and request return the same generation. " +
                "A generation with a deadline fails unless it completes by then.")
            .WithMetadata(new SubmissionRateAttribute())
            .ProducesBodyProblems()
            .ProducesProblems(StatusCodes.Status403Forbidden, StatusCodes.Status422UnprocessableEntity)
            .DescribesParameters(SubmitRequestReader.IdempotencyKey);

        group.MapGet("/", ListGenerations.HandleAsync)
            .WithName("ListGenerations")
            .WithSummary("Lists the caller's generations, newest first")
            .ProducesProblems(StatusCodes.Status400BadRequest)
            .DescribesParameters(ListQuery.All);

        group.MapGet("/{id}", GetGeneration.HandleAsync)
            .WithName("GetGeneration")
            .WithSummary("Gets a generation")
            .ProducesProblems(StatusCodes.Status404NotFound);

        group.MapGet("/{id}/history", GetHistory.HandleAsync)
            .WithName("GetGenerationHistory")
            .WithSummary("Lists a generation's updates")
            .ProducesProblems(StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound)
            .DescribesParameters(GetHistory.Query);

        group.MapPost("/{id}/cancel", CancelGeneration.HandleAsync)
            .WithName("CancelGeneration")
            .WithSummary("Cancels a generation")
            .WithDescription("A pending generation is canceled at once (200); for a running one, its worker is asked to stop it (202).")
            .ProducesProblems(StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
    }
}
