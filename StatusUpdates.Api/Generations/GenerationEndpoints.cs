using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.RateLimiting;
using StatusUpdates.Data.Types;

namespace StatusUpdates.Api.Generations;

/// <summary>Submitting, listing and canceling generations.</summary>
internal static class GenerationEndpoints
{
    public const string Path = "/api/v1/generations";

    private const string TypesPath = "/api/v1/types";

    public static void AddGenerations(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSectionOptions<SubmissionOptions, SubmissionOptionsValidator>(SubmissionOptions.SectionName);
        builder.AddGenerationTypes();
        builder.Services.AddSingleton<TypeDocument>();
    }

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

        app.MapPlainGroup(TypesPath, "Generations").MapGet("/", static (HttpResponse response, TypeDocument types) => types.Get(response))
            .WithName("ListTypes")
            .WithSummary("Lists the registered types")
            .WithDescription("What can be submitted: the types, their tasks, and the options that each takes. An operator may add types.")
            .Produces<Success<TypeList>>()
            .Produces(StatusCodes.Status304NotModified);
    }
}
