using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace StatusUpdates.Client;

/// <summary>Settings of a <see cref="StatusUpdatesClient"/>, which checks them when it is made. Immutable.</summary>
public sealed record StatusUpdatesClientOptions
{
    // Task.Delay and timers go no further than 49 days.
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    /// <summary>Where the API is: absolute, http or https; a path is a prefix of the API's own.</summary>
    public required Uri BaseAddress { get; init; }

    /// <summary>
    /// Gives a fresh access token (a JWT, without <c>Bearer</c>). Called at the first use, when the server says that the token is about to
    /// expire, and when it refuses one (again after 1 s to 2 s if it refuses the fresh one too); in between the client keeps the token and shares it among its calls and feeds. Never called twice at
    /// the same time: should it go on after its cancellation token was canceled, whoever waited for it is let go at once, and the next call
    /// comes when it has returned. It must not block its thread. If it throws, the call that needed the token throws; a feed takes <see cref="HttpRequestException"/>,
    /// <see cref="IOException"/>, <see cref="TimeoutException"/> and a foreign <see cref="OperationCanceledException"/> as passing and tries
    /// again, and hands on everything else.
    /// </summary>
    public required Func<CancellationToken, ValueTask<string>> AccessTokenProvider { get; init; }

    /// <summary>
    /// Sends everything, the WebSocket's handshake included: for proxies, certificates, or what an <c>IHttpMessageHandlerFactory</c> makes.
    /// Stays the caller's: it is not disposed with the client. By default the client has one of its own. What it throws, of whatever type, ends no
    /// feed: it is waited and tried again. One that bounds the time of a request, as the standard resilience handler does (10 s for an attempt), has to
    /// allow for <see cref="LongPollTimeout"/>, or every poll that has nothing to tell is a failure.
    /// </summary>
    public HttpMessageHandler? HttpMessageHandler { get; init; }

    /// <summary>How long a REST call may take, and a long poll beyond its own waiting. Default 30 s.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a WebSocket may take from the first packet to the server's first message. Default 15 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How often an open WebSocket is pinged. Default 15 s.</summary>
    public TimeSpan KeepAliveInterval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How long the answer to a ping may take until the connection is taken for dead. Default 15 s. Nothing is read ahead of a feed's consumer,
    /// the answer included: one that holds an update for longer than this may find itself reconnected. Nothing that has a seq is lost by it.
    /// </summary>
    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// The ceiling of the wait before the first reconnect; it doubles with every failure up to <see cref="ReconnectMaxDelay"/>. The wait
    /// itself is drawn evenly from zero to the ceiling, so that clients which were cut off together do not return together. Default 500 ms.
    /// </summary>
    public TimeSpan ReconnectDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// The highest ceiling of the wait between reconnects. A server's <c>Retry-After</c> is waited for besides, but no longer than 10 min.
    /// Default 30 s.
    /// </summary>
    public TimeSpan ReconnectMaxDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a WebSocket has to hold until the failures before it are forgotten. Default 10 s.</summary>
    public TimeSpan StableAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a feed that had to fall back to long polling waits until it tries a WebSocket again; doubles with every try that fails, up
    /// to sixteen times as long. Default 1 min.
    /// </summary>
    public TimeSpan WebSocketRetryInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long the server holds a long poll that has nothing to tell, in whole seconds: 1 to 60 s. Default 25 s.</summary>
    public TimeSpan LongPollTimeout { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>The clock of waits, time-outs and dates. (The WebSocket's pings keep the system's.)</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where reconnects and what led to them are logged. No token and no payload ever is.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Throws an <see cref="ArgumentException"/> that names the first setting which is out of range, and the range.</summary>
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
            throw new ArgumentException("Must be an absolute http or https address, without user, query and fragment.", nameof(BaseAddress));
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

    private static void Check(TimeSpan value, TimeSpan least, string name, TimeSpan? most = null)
    {
        var highest = most ?? LongestWait;
        if (value < least || value > highest)
        {
            throw new ArgumentOutOfRangeException(
                name, value, string.Create(CultureInfo.InvariantCulture, $"Must be {least:c} to {highest:c}."));
        }
    }
}
