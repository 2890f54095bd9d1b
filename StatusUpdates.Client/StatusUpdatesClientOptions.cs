using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace StatusUpdates.Client;

/// <summary>Settings of a <see cref="StatusUpdatesClient"/>, whose constructor validates them. Immutable.</summary>
public sealed record StatusUpdatesClientOptions
{
    // Task.Delay and timers support at most 49 days.
    private static readonly TimeSpan MaxWait = TimeSpan.FromDays(1);

    /// <summary>The API's base address: absolute, http or https. A path in it is prepended to the API's own paths.</summary>
    public required Uri BaseAddress { get; init; }

    /// <summary>
    /// Returns a fresh access token (a JWT, without <c>Bearer</c>). Called at the first use, when the server reports that the token is about
    /// to expire, and when the server refuses a token (again after 1 s to 2 s if it refuses the fresh one too); otherwise the client keeps the
    /// token and shares it among its calls and feeds. Never called concurrently: if it keeps running after its cancellation token was
    /// canceled, the waiting callers are released at once, and the next call happens only after it has returned. It must not block its thread.
    /// If it throws, the call that needed the token throws. A feed treats <see cref="HttpRequestException"/>, <see cref="IOException"/>,
    /// <see cref="TimeoutException"/> and an <see cref="OperationCanceledException"/> that the feed's caller did not cause as transient and
    /// retries; it passes on everything else.
    /// </summary>
    public required Func<CancellationToken, ValueTask<string>> AccessTokenProvider { get; init; }

    /// <summary>
    /// Sends all requests, including WebSocket handshakes: for proxies, certificates, or handlers made by an
    /// <c>IHttpMessageHandlerFactory</c>. Owned by the caller: it is not disposed with the client. By default the client has its own.
    /// Its exceptions, of any type, do not end a feed, which waits and retries. A handler that limits the duration of a request, such as the
    /// standard resilience handler (10 s per attempt), must allow for <see cref="LongPollTimeout"/>, or every poll without updates fails.
    /// </summary>
    public HttpMessageHandler? HttpMessageHandler { get; init; }

    /// <summary>How long a REST call may take, and a long poll in addition to its own wait. Default 30 s.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a WebSocket may take from the first packet to the server's first message. Default 15 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How often an open WebSocket is pinged. Default 15 s.</summary>
    public TimeSpan KeepAliveInterval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How long the answer to a ping may take before the connection is considered dead. Default 15 s. Nothing is read ahead of a feed's
    /// consumer, not even that answer: a consumer that spends longer than this on an update may cause a reconnect. No update that has a seq
    /// is lost by it.
    /// </summary>
    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// The ceiling of the wait before the first reconnect; it doubles with every failure up to <see cref="ReconnectMaxDelay"/>. The wait
    /// itself is random between zero and the ceiling: clients that were cut off together do not reconnect together. Default 500 ms.
    /// </summary>
    public TimeSpan ReconnectDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// The highest ceiling of the wait between reconnects. A server's <c>Retry-After</c>, up to 10 min, is added to the wait. Default 30 s.
    /// </summary>
    public TimeSpan ReconnectMaxDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a WebSocket must stay connected to reset the count of failures. Default 10 s.</summary>
    public TimeSpan StableAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a feed that fell back to long polling waits before it tries a WebSocket again; doubles with every failed attempt, up to
    /// sixteen times as long. Default 1 min.
    /// </summary>
    public TimeSpan WebSocketRetryInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long the server holds a long poll while there are no updates, in whole seconds: 1 to 60 s. Default 25 s.</summary>
    public TimeSpan LongPollTimeout { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>The clock for waits, timeouts and dates. (WebSocket pings use the system clock.)</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Logs reconnects and their causes. Tokens and payloads are never logged.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <exception cref="ArgumentException">Names the first setting that is out of range, and the range.</exception>
    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(AccessTokenProvider);
        ArgumentNullException.ThrowIfNull(TimeProvider);
        ArgumentNullException.ThrowIfNull(LoggerFactory);
        if (BaseAddress is not { IsAbsoluteUri: true } address
            || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps)
            || address.Query.Length > 0
            || address.Fragment.Length > 0
            || address.UserInfo.Length > 0)
        {
            throw new ArgumentException("Must be an absolute http or https address without user, query or fragment.", nameof(BaseAddress));
        }

        Check(RequestTimeout, TimeSpan.FromMilliseconds(1), nameof(RequestTimeout));
        Check(ConnectTimeout, TimeSpan.FromMilliseconds(1), nameof(ConnectTimeout));
        Check(KeepAliveInterval, TimeSpan.FromMilliseconds(1), nameof(KeepAliveInterval));
        Check(KeepAliveTimeout, TimeSpan.FromMilliseconds(1), nameof(KeepAliveTimeout));
        Check(ReconnectDelay, TimeSpan.FromMilliseconds(1), nameof(ReconnectDelay));
        Check(ReconnectMaxDelay, ReconnectDelay, nameof(ReconnectMaxDelay));
        Check(StableAfter, TimeSpan.Zero, nameof(StableAfter));
        Check(WebSocketRetryInterval, TimeSpan.FromMilliseconds(1), nameof(WebSocketRetryInterval));
        Check(LongPollTimeout, TimeSpan.FromSeconds(1), nameof(LongPollTimeout), TimeSpan.FromSeconds(60));
    }

    private static void Check(TimeSpan value, TimeSpan min, string name, TimeSpan? max = null)
    {
        var upper = max ?? MaxWait;
        if (value < min || value > upper)
        {
            throw new ArgumentOutOfRangeException(
                name, value, string.Create(CultureInfo.InvariantCulture, $"Must be {min:c} to {upper:c}."));
        }
    }
}
