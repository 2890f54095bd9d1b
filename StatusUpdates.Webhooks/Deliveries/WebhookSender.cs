using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.Egress;
using StatusUpdates.Webhooks.Keys;

namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>The result of one attempt.</summary>
/// <param name="At">When it began, by this process's clock.</param>
/// <param name="StatusCode">The status of the response; null if there was none.</param>
/// <param name="Error">Why it failed, for the webhook's owner; null if it succeeded.</param>
/// <param name="Response">The beginning of the response body; null if there was none.</param>
/// <param name="Duration">From the start to the response's status and headers, or to the failure.</param>
/// <param name="RetryAfter">How long the receiver asked to wait.</param>
internal sealed record AttemptResult(DateTimeOffset At, int? StatusCode, string? Error, string? Response, TimeSpan Duration, TimeSpan? RetryAfter)
{
    public bool IsSuccess => Error is null;

    public bool IsGone => StatusCode == (int)HttpStatusCode.Gone;

    /// <summary>Whether it failed because of the receiver, and not because of the message.</summary>
    public bool IsReceiverFailure => !IsSuccess && StatusCode is null or >= 500 or 408 or 425 or 429;
}

/// <summary>
/// Posts messages as defined by Standard Webhooks 1.0. The response's status line and headers decide; its body is only shown to the webhook's owner, and
/// failures while reading it do not count: a receiver may answer first and work on with the body open. Never throws because of a receiver. Thread-safe.
/// </summary>
internal sealed partial class WebhookSender(
    HttpMessageInvoker http, IOptions<WebhookOptions> options, TimeProvider time, ILogger<WebhookSender> logger)
{
    private const int MaxResponse = 1024;

    // Long enough for a body that is on its way, and short enough that a receiver whose body never ends does not look slow.
    private static readonly TimeSpan BodyTimeout = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan MaxRetryAfter = TimeSpan.FromDays(1);
    private static readonly MediaTypeHeaderValue Json = new("application/json");
    private static readonly ProductInfoHeaderValue UserAgent = new("StatusUpdates-Webhooks", "1.0");

    /// <summary>One attempt, at a webhook of <paramref name="owner"/>.</summary>
    /// <exception cref="OperationCanceledException">The token canceled it; whether the message arrived is unknown.</exception>
    public async Task<AttemptResult> SendAsync(
        Uri url, string owner, string messageId, ReadOnlyMemory<byte> body, SigningKeys keys, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ReadOnlyMemoryContent(body) };
        request.Options.Set(EgressHttp.Owner, owner);
        request.Content.Headers.ContentType = Json;
        request.Headers.UserAgent.Add(UserAgent);
        request.Headers.TryAddWithoutValidation("webhook-id", messageId);
        request.Headers.TryAddWithoutValidation("webhook-timestamp", now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        request.Headers.TryAddWithoutValidation("webhook-signature", keys.Sign(messageId, now, body.Span, now));

        var started = time.GetTimestamp();
        using var limit = new CancellationTokenSource(options.Value.Delivery.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            using var response = await http.SendAsync(request, either.Token);
            var duration = time.GetElapsedTime(started);
            return new(
                now,
                (int)response.StatusCode,
                ErrorOf(response),
                await ReadBeginningAsync(response.Content, cancellationToken),
                duration,
                response.IsSuccessStatusCode ? null : RetryAfterOf(response, now));
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return new(now, null, $"No answer within {options.Value.Delivery.Timeout.TotalSeconds:0.###} s.", null, time.GetElapsedTime(started), null);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Anything that a receiver causes is a failed attempt; otherwise it would be repeated without end.
            if (Describe(e) is not { } error)
            {
                LogUnexpected(e);
                error = "The attempt failed.";
            }

            return new(now, null, error, null, time.GetElapsedTime(started), null);
        }
    }

    private static string? ErrorOf(HttpResponseMessage response) => (int)response.StatusCode switch
    {
        >= 200 and <= 299 => null,
        >= 300 and <= 399 => "It answered with a redirect, which is not followed.",
        var status => string.Create(CultureInfo.InvariantCulture, $"It answered {status}."),
    };

    // The response can have any length: the rest is dropped, with its connection if it is long. What came before a body broke off is kept.
    private async Task<string?> ReadBeginningAsync(HttpContent content, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(BodyTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var buffer = new byte[MaxResponse];
        var length = 0;
        try
        {
            await using var stream = await content.ReadAsStreamAsync(either.Token);
            int read;
            do
            {
                read = await stream.ReadAsync(buffer.AsMemory(length), either.Token);
                length += read;
            }
            while (read > 0 && length < MaxResponse);
        }
        catch (Exception)
        {
            // Any failure: the response has arrived already.
        }

        // Untrusted bytes: what is not valid UTF-8, and NUL, which Postgres does not accept, is replaced.
        return length == 0 ? null : Encoding.UTF8.GetString(buffer, 0, length).Replace('\0', '\uFFFD');
    }

    private static TimeSpan? RetryAfterOf(HttpResponseMessage response, DateTimeOffset now)
    {
        var header = response.Headers.RetryAfter;
        var wait = header?.Delta ?? (header?.Date - now);
        return wait > TimeSpan.Zero ? (wait < MaxRetryAfter ? wait : MaxRetryAfter) : null;
    }

    // In our own words: an exception's message could reveal our network to the webhook's owner.
    private static string? Describe(Exception e) => e switch
    {
        HttpRequestException { InnerException: ForbiddenAddressException } => "Its host leads to an address that is not allowed.",
        HttpRequestException { InnerException: ForbiddenPortException } => "Its port is not allowed.",
        HttpRequestException { InnerException: SocketException { SocketErrorCode: SocketError.TryAgain } } => "Its host's name servers do not answer.",
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => "Its host has no address.",
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => "No secure connection could be made (TLS).",
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } => "No connection could be made.",
        HttpRequestException { HttpRequestError: HttpRequestError.ConfigurationLimitExceeded } => "Its answer's headers are too long.",
        HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse } => "Its answer is not HTTP.",
        HttpRequestException or IOException or SocketException => "The connection ended before the answer came.",

        // The handler's own time-out, which is for connecting only.
        OperationCanceledException { InnerException: TimeoutException } => "No connection could be made in time.",
        _ => null,
    };

    [LoggerMessage(3403, LogLevel.Error, "A delivery attempt failed with an unexpected exception")]
    private partial void LogUnexpected(Exception exception);
}
