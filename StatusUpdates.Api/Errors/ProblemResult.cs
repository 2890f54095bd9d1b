using System.Diagnostics;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.WebUtilities;

namespace StatusUpdates.Api.Errors;

/// <summary>Writes a <see cref="Problem"/> response. The only place that writes problems, for handlers and middleware alike.</summary>
internal sealed class ProblemResult(int status, string code, string? detail = null, FieldErrors? errors = null)
    : IResult, IStatusCodeHttpResult, IValueHttpResult, IValueHttpResult<Problem>
{
    public const string ContentType = "application/problem+json";

    private const string AllowedBodies =
        "The body must be application/json in UTF-8: Content-Type: application/json, with charset=utf-8 or without a charset.";

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

    /// <summary>400 with the errors by field.</summary>
    public static ProblemResult Invalid(FieldErrors errors) =>
        new(StatusCodes.Status400BadRequest, ProblemCodes.InvalidRequest, "The request has invalid values; see errors.", errors);

    /// <summary>404. The same response for a resource that does not exist and for another user's.</summary>
    public static ProblemResult NotFound(string detail) => new(StatusCodes.Status404NotFound, ProblemCodes.NotFound, detail);

    /// <summary>The default problem of a status.</summary>
    public static ProblemResult Of(int status) =>
        new(status, ProblemCodes.Of(status), status == StatusCodes.Status415UnsupportedMediaType ? AllowedBodies : null);

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var problem = Value with { TraceId = Activity.Current?.TraceId.ToString() };

        // While an exception is handled, the request no longer has its endpoint.
        var endpoint = httpContext.GetEndpoint() ?? httpContext.Features.Get<IExceptionHandlerFeature>()?.Endpoint;
        if (endpoint?.Metadata.GetMetadata<IProblemFormat>()?.TryWrite(httpContext, problem) is { } writing)
        {
            return writing;
        }

        var response = httpContext.Response;
        response.StatusCode = status;
        response.Headers.CacheControl = "no-store";

        // Not with the request's token: after a time-out, which is one of the failures reported here, it is already canceled.
        return response.WriteAsJsonAsync(problem, ProblemJsonContext.Default.Problem, ContentType, CancellationToken.None);
    }
}
