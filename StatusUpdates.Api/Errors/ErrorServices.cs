using Microsoft.AspNetCore.Http.Metadata;

namespace StatusUpdates.Api.Errors;

/// <summary>Problem details for every failure, wherever it is detected.</summary>
internal static class ErrorServices
{
    public static void AddErrors(this IHostApplicationBuilder builder)
    {
        builder.Services.AddExceptionHandler<ApiExceptionHandler>();
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
    }

    /// <summary>First in the pipeline: handles exceptions of all later parts, and adds a body to error statuses that have none.</summary>
    public static void UseErrors(this WebApplication app)
    {
        app.UseExceptionHandler(_ => { });
        app.UseStatusCodePages(context => ProblemResult.Of(context.HttpContext.Response.StatusCode).ExecuteAsync(context.HttpContext));
    }

    /// <summary>Declares the problems that an endpoint can return, for the OpenAPI document.</summary>
    public static TBuilder ProducesProblems<TBuilder>(this TBuilder builder, params int[] statuses)
        where TBuilder : IEndpointConventionBuilder
    {
        foreach (var status in statuses)
        {
            builder.WithMetadata(new ProducesResponseTypeMetadata(status, typeof(Problem), [ProblemResult.ContentType]));
        }

        return builder;
    }

    /// <summary>Declares the problems of every endpoint that takes a body.</summary>
    public static TBuilder ProducesBodyProblems<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.ProducesProblems(
            StatusCodes.Status400BadRequest, StatusCodes.Status413PayloadTooLarge, StatusCodes.Status415UnsupportedMediaType);
}
