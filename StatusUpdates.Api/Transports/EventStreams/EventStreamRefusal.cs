using System.Globalization;
using System.Text.Json;
using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Transports.EventStreams;

/// <summary>
/// Tells a client that asked for an event stream of what passes (429, 5xx) by a stream: when to come back, the problem as the event
/// <c>unavailable</c>, the end. An EventSource gives up for good on any status but 200 (WHATWG HTML, section 9.2.3), and comes back after the end
/// of a stream. What does not pass keeps its status, and so does everything for clients whose <c>Accept</c> names no event stream. Thread-safe.
/// </summary>
internal sealed class EventStreamRefusal : IProblemFormat
{
    // As long as the longest that clients of ours keep to.
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(10);

    public Task? TryWrite(HttpContext context, Problem problem) =>
        Passes(problem.Status) && WantsStream(context.Request) ? WriteAsync(context, problem) : null;

    private static bool Passes(int status) =>
        status is StatusCodes.Status429TooManyRequests or >= StatusCodes.Status500InternalServerError;

    private static bool WantsStream(HttpRequest request) => request.GetTypedHeaders().Accept.Any(
        type => type.MediaType.Equals(EventStreamResult.ContentType, StringComparison.OrdinalIgnoreCase));

    private static async Task WriteAsync(HttpContext context, Problem problem)
    {
        var connections = context.RequestServices.GetRequiredService<ConnectionContext>();
        connections.Metrics.StreamRefused(problem.Code);
        var response = context.Response;
        response.StatusCode = StatusCodes.Status200OK;
        EventStreamResult.Prepare(response);
        var buffer = default(WriteBuffer);
        try
        {
            EventStreamFormat.AppendRetry(ref buffer, WaitOf(response, connections.Options.ReconnectDelay));
            EventStreamFormat.AppendEvent(
                ref buffer, "unavailable"u8, JsonSerializer.SerializeToUtf8Bytes(problem, ProblemJsonContext.Default.Problem), null);

            // Without the request's token, as every problem is told.
            await response.Body.WriteAsync(buffer.Written, CancellationToken.None);
        }
        finally
        {
            buffer.Dispose();
        }
    }

    // Up to twice as long as the answer's Retry-After says: those that were refused together do not come back together.
    private static TimeSpan WaitOf(HttpResponse response, TimeSpan otherwise)
    {
        var least = int.TryParse(response.Headers.RetryAfter, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(seconds)
            : otherwise;
        var wait = least * (1 + Random.Shared.NextDouble());
        return wait < LongestWait ? wait : LongestWait;
    }
}
