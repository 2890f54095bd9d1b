using System.Diagnostics;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.WebUtilities;
using StatusUpdates.Api.Json;

namespace StatusUpdates.Api.Errors;

/// <summary>Answers with a <see cref="Problem"/>. The one place that writes problems, for handlers and middleware alike.</summary>
internal sealed class ProblemResult(int status, string code, string? detail = null, FieldErrors? errors = null)
    : IResult, IStatusCodeHttpResult, IValueHttpResult, IValueHttpResult<Problem>
{
    public const string ContentType = "application/problem+json";

    public int? StatusCode => status;

    public Problem Value { get; } = new()
    {
        Title = ReasonPhrases.GetReasonPhrase(status),
        Status = status,
        Detail = detail,
        Code = code,
        Errors = errors?.ToDictionary(),
    };

    object? IValueHttpResult.Value => Value;

    /// <summary>400, naming the fields.</summary>
    public static ProblemResult Invalid(FieldErrors errors) =>
        new(StatusCodes.Status400BadRequest, ProblemCodes.InvalidRequest, "The request has invalid values; see errors.", errors);

    /// <summary>404. The same for what never was and what is another user's.</summary>
    public static ProblemResult NotFound(string detail) => new(StatusCodes.Status404NotFound, ProblemCodes.NotFound, detail);

    /// <summary>The answer for a status that nothing more is known about.</summary>
    public static ProblemResult Of(int status) =>
        new(status, ProblemCodes.Of(status), status == StatusCodes.Status415UnsupportedMediaType ? JsonBodies.Allowed : null);

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var problem = Value with { TraceId = Activity.Current?.TraceId.ToString() };

        // Where an exception is told, the request has no endpoint any more.
        var endpoint = httpContext.GetEndpoint() ?? httpContext.Features.Get<IExceptionHandlerFeature>()?.Endpoint;
        if (endpoint?.Metadata.GetMetadata<IProblemFormat>()?.TryWrite(httpContext, problem) is { } writing)
        {
            return writing;
        }

        var response = httpContext.Response;
        response.StatusCode = status;
        response.Headers.CacheControl = "no-store";

        // Without the request's token: that has ended when a time-out is what is told.
        return response.WriteAsJsonAsync(problem, ProblemJsonContext.Default.Problem, ContentType, CancellationToken.None);
    }
}
