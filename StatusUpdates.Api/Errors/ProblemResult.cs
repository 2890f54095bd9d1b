using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.WebUtilities;

namespace StatusUpdates.Api.Errors;

/// <summary>Writes a <see cref="Problem"/> response. The only place that writes problems, for handlers and middleware alike. Immutable.</summary>
internal sealed class ProblemResult(ProblemCode code, string? detail, FieldErrors? errors = null) : IResult
{
    public const string ContentType = "application/problem+json";

    private const string AllowedBodies =
        "The body must be application/json in UTF-8: Content-Type: application/json, with charset=utf-8 or without a charset.";

    private readonly Problem _problem = new()
    {
        Title = ReasonPhrases.GetReasonPhrase(code.Status),
        Status = code.Status,
        Detail = detail,
        Code = code.Name,
        Errors = errors?.ToDictionary(),
    };

    /// <summary>When to try again, in whole seconds, for <c>Retry-After</c>; null: not stated.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>400 with the errors by field.</summary>
    public static ProblemResult Invalid(FieldErrors errors) => new(ProblemCodes.InvalidRequest, "The request has invalid values; see errors.", errors);

    /// <summary>400 with one error.</summary>
    public static ProblemResult Invalid(string field, string message)
    {
        var errors = new FieldErrors();
        errors.Add(field, message);
        return Invalid(errors);
    }

    /// <summary>404. The same response for a resource that does not exist and for another user's.</summary>
    public static ProblemResult NotFound(string detail) => new(ProblemCodes.NotFound, detail);

    /// <summary>The default problem of a status.</summary>
    public static ProblemResult Of(int status) =>
        new(ProblemCodes.Of(status) with { Status = status }, status == StatusCodes.Status415UnsupportedMediaType ? AllowedBodies : null);

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var problem = _problem with { TraceId = Activity.Current?.TraceId.ToString() };
        var response = httpContext.Response;
        if (RetryAfter is { } wait)
        {
            response.Headers.RetryAfter = wait.TotalSeconds.ToString(CultureInfo.InvariantCulture);
        }

        // While an exception is handled, the request no longer has its endpoint.
        var endpoint = httpContext.GetEndpoint() ?? httpContext.Features.Get<IExceptionHandlerFeature>()?.Endpoint;
        if (endpoint?.Metadata.GetMetadata<IProblemFormat>()?.TryWrite(httpContext, problem) is { } writing)
        {
            return writing;
        }

        response.StatusCode = problem.Status;
        response.Headers.CacheControl = "no-store";

        // Not with the request's token: after a time-out, which is one of the failures reported here, it is already canceled.
        return response.WriteAsJsonAsync(problem, ProblemJsonContext.Default.Problem, ContentType, CancellationToken.None);
    }
}
