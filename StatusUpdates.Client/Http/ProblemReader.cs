using System.Net.Http.Headers;
using System.Text.Json;

namespace StatusUpdates.Client.Http;

/// <summary>Turns a response without a success status into an exception. The caller disposes the response.</summary>
internal static class ProblemReader
{
    // A problem is small; a proxy's response in its place may have any size.
    private const int MaxBytes = 64 * 1024;

    public static async Task<StatusUpdatesException> ReadAsync(HttpResponseMessage response, TimeProvider time, CancellationToken cancellationToken)
    {
        var problem = await ReadProblemAsync(response.Content, cancellationToken).ConfigureAwait(false);
        var reason = problem?.Detail ?? problem?.Title ?? response.ReasonPhrase;
        var fields = problem?.Errors is { Count: > 0 } errors
            ? " " + string.Join(" ", errors.Select(field => $"{field.Key}: {string.Join(" ", field.Value)}"))
            : "";
        return new($"The API answered {(int)response.StatusCode} {problem?.Code}: {reason}{fields}")
        {
            StatusCode = response.StatusCode,
            Code = problem?.Code,
            Errors = problem?.Errors ?? new Dictionary<string, IReadOnlyList<string>>(),
            TraceId = problem?.TraceId,
            RetryAfter = RetryAfterOf(response.Headers.RetryAfter, time),
            IsProblem = problem?.Code is not null,
        };
    }

    /// <summary>Converts seconds or a date (RFC 9110, section 10.2.3) to the time from now; never negative.</summary>
    internal static TimeSpan? RetryAfterOf(RetryConditionHeaderValue? header, TimeProvider time)
    {
        var wait = header?.Delta ?? (header?.Date is { } date ? date - time.GetUtcNow() : null);
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    private static async Task<ApiProblem?> ReadProblemAsync(HttpContent content, CancellationToken cancellationToken)
    {
        if (!string.Equals(content.Headers.ContentType?.MediaType, "application/problem+json", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var buffer = new byte[MaxBytes];
        var body = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (body.ConfigureAwait(false))
        {
            var length = await body.ReadAtLeastAsync(buffer, MaxBytes, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            try
            {
                return JsonSerializer.Deserialize(buffer.AsSpan(0, length), ClientJsonContext.Default.ApiProblem);
            }
            catch (JsonException)
            {
                // Not written by the API; the status is all there is to report.
                return null;
            }
        }
    }
}
