using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Worker.Webhooks;

/// <summary>What one attempt came to.</summary>
/// <param name="StatusCode">What was answered; null if nothing was.</param>
/// <param name="Error">Why it failed, for the webhook's owner; null if it succeeded.</param>
/// <param name="Response">The beginning of the answer's body; null if there was none.</param>
/// <param name="Duration">From the start to the answer's status and headers, or to what went wrong.</param>
/// <param name="RetryAfter">How long the receiver asked to be left alone.</param>
internal sealed record AttemptResult(int? StatusCode, string? Error, string? Response, TimeSpan Duration, TimeSpan? RetryAfter)
{
    public bool IsSuccess => Error is null;

    public bool IsGone => StatusCode == (int)HttpStatusCode.Gone;

    /// <summary>Whether it failed for what the receiver is, and not for what the message says.</summary>
    public bool IsReceiversTrouble => !IsSuccess && StatusCode is null or >= 500 or 408 or 425 or 429;
}

/// <summary>
/// Posts messages as Standard Webhooks 1.0 says. The answer's status line and headers decide; its body is for the webhook's owner to see, and
/// nothing that happens to it counts: a receiver may answer first and work on, with the body open. Never throws for what a receiver does. Thread-safe.
/// </summary>
internal sealed partial class WebhookSender(
    HttpMessageInvoker http, IOptions<DeliveryOptions> options, TimeProvider time, ILogger<WebhookSender> logger)
{
    private const int MaxResponse = 1024;

    // Long enough for a body that is on its way, and short enough that one that never ends is not taken for a slow receiver.
    private static readonly TimeSpan BodyTimeout = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan MaxRetryAfter = TimeSpan.FromDays(1);
    private static readonly MediaTypeHeaderValue Json = new("application/json");
    private static readonly ProductInfoHeaderValue UserAgent = new("StatusUpdates-Webhooks", "1.0");

    /// <summary>One attempt.</summary>
    /// <param name="url">Where to.</param>
    /// <param name="owner">Whose webhook it is.</param>
    /// <param name="messageId">The header <c>webhook-id</c>.</param>
    /// <param name="body">The message.</param>
    /// <param name="keys">What to sign with.</param>
    /// <param name="cancellationToken">Ends the attempt; whether it arrived is unknown then.</param>
    /// <exception cref="OperationCanceledException">It was ended by the token.</exception>
    public async Task<AttemptResult> SendAsync(
        Uri url, string owner, string messageId, ReadOnlyMemory<byte> body, SigningKeys keys, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ReadOnlyMemoryContent(body) };
        request.Options.Set(WebhookHttp.Owner, owner);
        request.Content.Headers.ContentType = Json;
        request.Headers.UserAgent.Add(UserAgent);
        request.Headers.TryAddWithoutValidation("webhook-id", messageId);
        request.Headers.TryAddWithoutValidation("webhook-timestamp", now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        request.Headers.TryAddWithoutValidation("webhook-signature", keys.Sign(messageId, now, body.Span, now));

        var started = time.GetTimestamp();
        using var limit = new CancellationTokenSource(options.Value.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            using var response = await http.SendAsync(request, either.Token);
            var duration = time.GetElapsedTime(started);
            return new(
                (int)response.StatusCode,
                ErrorOf(response),
                await ReadBeginningAsync(response.Content, cancellationToken),
                duration,
                response.IsSuccessStatusCode ? null : RetryAfterOf(response, now));
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return new(null, $"No answer within {options.Value.Timeout.TotalSeconds:0.###} s.", null, time.GetElapsedTime(started), null);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever a receiver brings about is an attempt that failed: as anything else it would be repeated without end.
            if (Describe(e) is not { } error)
            {
                LogUnforeseen(e);
                error = "The attempt failed.";
            }

            return new(null, error, null, time.GetElapsedTime(started), null);
        }
    }

    private static string? ErrorOf(HttpResponseMessage response) => (int)response.StatusCode switch
    {
        >= 200 and <= 299 => null,
        >= 300 and <= 399 => "It answered with a redirect, which is not followed.",
        var status => string.Create(CultureInfo.InvariantCulture, $"It answered {status}."),
    };

    // Of an answer with any length: what is not read is dropped, with its connection if it is much. What came before a body broke off is kept.
    private async Task<string?> ReadBeginningAsync(HttpContent content, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(BodyTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent(MaxResponse);
        var length = 0;
        try
        {
            await using var stream = await content.ReadAsStreamAsync(either.Token);
            int read;
            do
            {
                read = await stream.ReadAsync(buffer.AsMemory(length, MaxResponse - length), either.Token);
                length += read;
            }
            while (read > 0 && length < MaxResponse);
        }
        catch (Exception)
        {
            // Whatever it is: the answer came before it.
        }

        var text = length == 0 ? null : TextOf(buffer.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(buffer);
        return text;
    }

    // A stranger's bytes: what is no text, and what no database takes, is replaced.
    private static string TextOf(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes).Replace('\0', '\uFFFD');

    private static TimeSpan? RetryAfterOf(HttpResponseMessage response, DateTimeOffset now)
    {
        var header = response.Headers.RetryAfter;
        var wait = header?.Delta ?? (header?.Date - now);
        return wait > TimeSpan.Zero ? TimeSpans.Min(wait.Value, MaxRetryAfter) : null;
    }

    // In words of our own: an exception's could tell a stranger what is in our network.
    private static string? Describe(Exception e) => e switch
    {
        _ when ForbiddenAddressException.IsCauseOf(e) => "Its host leads to an address that is not allowed.",
        _ when ForbiddenPortException.IsCauseOf(e) => "Its port is not allowed.",
        HttpRequestException { InnerException: SocketException { SocketErrorCode: SocketError.TryAgain } } => "Its host's name servers do not answer.",
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => "Its host has no address.",
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => "No secure connection could be made (TLS).",
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } => "No connection could be made.",
        HttpRequestException { HttpRequestError: HttpRequestError.ConfigurationLimitExceeded } => "Its answer's headers are too long.",
        HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse } => "Its answer is not HTTP.",
        HttpRequestException or IOException or SocketException => "The connection ended before the answer came.",

        // The handler's own limit, for the connection alone.
        OperationCanceledException { InnerException: TimeoutException } => "No connection could be made in time.",
        _ => null,
    };

    [LoggerMessage(3403, LogLevel.Error, "An attempt to deliver failed in a way that is not known")]
    private partial void LogUnforeseen(Exception exception);
}
