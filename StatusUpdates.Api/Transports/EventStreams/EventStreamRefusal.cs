using System.Globalization;
using System.Text.Json;
using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Transports.EventStreams;

/// <summary>
/// Sends transient problems (429, 5xx) to clients that accept an event stream as a stream: a reconnect delay, the problem as the event
/// <c>unavailable</c>, the end. An EventSource gives up permanently on any status other than 200 (WHATWG HTML, section 9.2.3), but reconnects after
/// the end of a stream. Permanent problems keep their status, and so do all problems for clients whose <c>Accept</c> names no event stream.
/// Thread-safe.
/// </summary>
internal sealed class EventStreamRefusal : IProblemFormat
{
    // The maximum that our own clients honor.
    private static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(10);

    public Task? TryWrite(HttpContext context, Problem problem) =>
        IsTransient(problem.Status) && WantsStream(context.Request) ? WriteAsync(context, problem) : null;

    private static bool IsTransient(int status) =>
        status is StatusCodes.Status429TooManyRequests or >= StatusCodes.Status500InternalServerError;

    private static bool WantsStream(HttpRequest request) => request.GetTypedHeaders().Accept.Any(
        type => type.MediaType.Equals(EventStreamResponse.ContentType, StringComparison.OrdinalIgnoreCase));

    private static async Task WriteAsync(HttpContext context, Problem problem)
    {
        var connections = context.RequestServices.GetRequiredService<ConnectionContext>();
        connections.Metrics.StreamRefused(problem.Code);
        var response = context.Response;
        response.StatusCode = StatusCodes.Status200OK;
        EventStreamResponse.Prepare(response);
        var buffer = default(WriteBuffer);
        try
        {
            EventStreamFormat.AppendRetry(ref buffer, WaitOf(response, connections.Options.ReconnectDelay));
            EventStreamFormat.AppendEvent(
                ref buffer, "unavailable"u8, JsonSerializer.SerializeToUtf8Bytes(problem, ProblemJsonContext.Default.Problem), null);

            // Not with the request's token, as for every problem response.
            await response.Body.WriteAsync(buffer.Written, CancellationToken.None);
        }
        finally
        {
            buffer.Dispose();
        }
    }

    // Up to twice the response's Retry-After, so that clients that were refused together do not come back together.
    private static TimeSpan WaitOf(HttpResponse response, TimeSpan fallback)
    {
        var minimum = int.TryParse(response.Headers.RetryAfter, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(seconds)
            : fallback;
        var wait = minimum * (1 + Random.Shared.NextDouble());
        return wait < MaxWait ? wait : MaxWait;
    }
}
