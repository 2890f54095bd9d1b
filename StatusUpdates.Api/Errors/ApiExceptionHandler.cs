using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using StatusUpdates.ResultStore;
using StatusUpdates.ResultStore.Contents;

namespace StatusUpdates.Api.Errors;

/// <summary>Turns an exception into a problem response. Logs only our own faults, not clients' mistakes.</summary>
internal sealed partial class ApiExceptionHandler(ILogger<ApiExceptionHandler> logger) : IExceptionHandler
{
    private static readonly TimeSpan ResultRetry = TimeSpan.FromSeconds(30);

    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (httpContext.RequestAborted.IsCancellationRequested)
        {
            // The client has disconnected: nobody reads the response.
            httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return true;
        }

        await Describe(exception).ExecuteAsync(httpContext);
        return true;
    }

    private ProblemResult Describe(Exception exception)
    {
        if (exception is BadHttpRequestException bad)
        {
            return BadRequest(bad);
        }

        if (exception is ContentStoreException or ContentMissingException)
        {
            LogResultUnavailable(logger, exception.Message);
            return new(ProblemCodes.ResultUnavailable, "The store of results is unavailable; try again later.") { RetryAfter = ResultRetry };
        }

        if (DatabaseFailures.IsUnavailable(exception))
        {
            LogDatabaseUnavailable(logger, exception.GetBaseException().Message);
            return DatabaseFailures.Problem;
        }

        LogUnhandled(logger, exception);
        Activity.Current?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", exception.GetType().FullName);
        return new(ProblemCodes.InternalError, "Something went wrong on our side; look up traceId in the telemetry.");
    }

    private static ProblemResult BadRequest(BadHttpRequestException exception)
    {
        if (exception.StatusCode != StatusCodes.Status400BadRequest)
        {
            return ProblemResult.Of(exception.StatusCode);
        }

        return exception.InnerException is JsonException json
            ? JsonErrors.Describe(json)
            : ProblemResult.Invalid(JsonErrors.Body, "Must be a JSON object.");
    }

    [LoggerMessage(4301, LogLevel.Warning, "The database is unavailable: {Reason}")]
    private static partial void LogDatabaseUnavailable(ILogger logger, string reason);

    [LoggerMessage(4302, LogLevel.Error, "A request failed")]
    private static partial void LogUnhandled(ILogger logger, Exception exception);

    [LoggerMessage(4303, LogLevel.Error, "A result cannot be read: {Reason}")]
    private static partial void LogResultUnavailable(ILogger logger, string reason);
}
