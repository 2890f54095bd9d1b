using System.Net;
using System.Net.WebSockets;

namespace StatusUpdates.Client.Feeds;

internal enum FeedFailureKind
{
    /// <summary>An established connection ended.</summary>
    Lost,

    /// <summary>An established connection was cut, without a close, before anything followed the server's first message.</summary>
    CutOff,

    /// <summary>The server or the token provider could not be reached. Says nothing about the transport.</summary>
    Unreachable,

    /// <summary>Something answered, but the server's first message did not arrive.</summary>
    NotEstablished,

    /// <summary>An intermediary does not let WebSockets through.</summary>
    UpgradeRefused,

    /// <summary>The server cannot or will not serve for now, or something else answers in its place.</summary>
    Unavailable,

    /// <summary>401.</summary>
    TokenRefused,

    /// <summary>4401: the token of an open connection has expired.</summary>
    TokenExpired,
}

/// <summary>Why a session ended, if a retry makes sense.</summary>
internal readonly record struct FeedFailure(FeedFailureKind Kind, Exception Exception, TimeSpan? RetryAfter = null)
{
    private const int TokenExpiredCode = 4401;
    private const int ForeignTokenCode = 4403;

    /// <summary>Classifies an exception. Null means that a retry is pointless: the exception goes to the caller.</summary>
    public static FeedFailure? Of(Exception exception, StatusTransport transport, FeedPhase phase)
    {
        if (phase == FeedPhase.Token)
        {
            // Thrown by the caller's own code. Only what looks like a network failure is retried.
            return exception is HttpRequestException or IOException or TimeoutException or OperationCanceledException
                ? new(FeedFailureKind.Unreachable, exception)
                : null;
        }

        return exception switch
        {
            StatusUpdatesException { CloseCode: TokenExpiredCode } => new(FeedFailureKind.TokenExpired, exception),
            StatusUpdatesException { CloseCode: ForeignTokenCode } => null,
            StatusUpdatesException { CloseCode: not null } => OfEnd(exception, phase),
            StatusUpdatesException answer when transport == StatusTransport.WebSocket => OfHandshake(answer),
            StatusUpdatesException answer => OfPoll(answer),
            WebSocketException { InnerException: HttpRequestException network } => Of(network, transport, phase),
            HttpRequestException
            {
                HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError
            } => new(FeedFailureKind.Unreachable, exception),
            HttpRequestException { HttpRequestError: HttpRequestError.ProxyTunnelError } when transport == StatusTransport.WebSocket =>
                new(FeedFailureKind.UpgradeRefused, exception),

            // The client, or the handler that it was given, is disposed.
            ObjectDisposedException => null,

            // From the network, or from the caller's handler: an open circuit breaker, a timeout or a limit of its own.
            _ => OfEnd(exception, phase),
        };
    }

    // Before the server's first message, the connection (even its close) may come from an intermediary that only completed the upgrade. After
    // that message, a close comes from the server; an intermediary that cuts the connection instead may do so every time.
    private static FeedFailure OfEnd(Exception exception, FeedPhase phase) => new(
        phase switch
        {
            FeedPhase.Receiving => FeedFailureKind.Lost,
            FeedPhase.Connected => exception is StatusUpdatesException ? FeedFailureKind.Lost : FeedFailureKind.CutOff,
            _ => FeedFailureKind.NotEstablished,
        },
        exception);

    // A 400 or 403 from the API itself is about this request. From a proxy it is about the upgrade, like every other status.
    private static FeedFailure? OfHandshake(StatusUpdatesException answer) => answer switch
    {
        { StatusCode: HttpStatusCode.Unauthorized } => new(FeedFailureKind.TokenRefused, answer),
        { StatusCode: HttpStatusCode.TooManyRequests } => new(FeedFailureKind.Unavailable, answer, answer.RetryAfter),
        { StatusCode: HttpStatusCode.ServiceUnavailable } when answer.IsProblem || answer.RetryAfter is not null =>
            new(FeedFailureKind.Unavailable, answer, answer.RetryAfter),
        { StatusCode: HttpStatusCode.BadRequest or HttpStatusCode.Forbidden, IsProblem: true } => null,
        { StatusCode: not null } => new(FeedFailureKind.UpgradeRefused, answer),
        _ => null,
    };

    private static FeedFailure? OfPoll(StatusUpdatesException answer) => answer switch
    {
        { StatusCode: null or HttpStatusCode.Unauthorized } => null,
        { StatusCode: HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError } =>
            new(FeedFailureKind.Unavailable, answer, answer.RetryAfter),

        // Only the API's own answer is final. Anything else that answers may be gone in a minute: an ingress without a backend, or the
        // sign-in page of a captive portal (possibly with a success status).
        { IsProblem: false } => new(FeedFailureKind.Unavailable, answer, answer.RetryAfter),
        _ => null,
    };
}
