using System.Net;
using System.Net.WebSockets;

namespace StatusUpdates.Client;

internal enum FeedFailureKind
{
    /// <summary>There was a connection, and it ended.</summary>
    Lost,

    /// <summary>There was a connection, and it was cut without a close before it brought anything but the server's first message.</summary>
    CutOff,

    /// <summary>The server, or the token provider, could not be asked at all: says nothing about the transport.</summary>
    Unreachable,

    /// <summary>Something answered, but the server's first message did not come.</summary>
    NotThrough,

    /// <summary>Something on the way does not let WebSockets through.</summary>
    UpgradeRefused,

    /// <summary>The server cannot serve, or does not want to for now; or something else answers in its place.</summary>
    Limited,

    /// <summary>401.</summary>
    TokenRefused,

    /// <summary>4401: the token of an open connection has expired.</summary>
    TokenExpired,
}

/// <summary>Why a session ended, as far as trying again makes sense.</summary>
internal readonly record struct FeedFailure(FeedFailureKind Kind, Exception Exception, TimeSpan? RetryAfter = null)
{
    private const int TokenExpiredCode = 4401;
    private const int ForeignTokenCode = 4403;

    /// <summary>The failure behind an exception; null if it is the caller's to know.</summary>
    public static FeedFailure? Of(Exception exception, StatusTransport transport, FeedPhase phase)
    {
        if (phase == FeedPhase.Token)
        {
            // Of the caller's own code: what looks like a network is tried again.
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

            // The client is gone, or the handler that it was given.
            ObjectDisposedException => null,

            // The network's, or of a handler of the caller's: a circuit that is open, a time-out or a limit of its own.
            _ => OfEnd(exception, phase),
        };
    }

    // Whatever ends a connection before the server's first message, a close included, may be something on the way that only plays along. After it
    // a close is the server's word; who cuts instead may do so every time.
    private static FeedFailure OfEnd(Exception exception, FeedPhase phase) => new(
        phase switch
        {
            FeedPhase.Through => FeedFailureKind.Lost,
            FeedPhase.Connected => exception is StatusUpdatesException ? FeedFailureKind.Lost : FeedFailureKind.CutOff,
            _ => FeedFailureKind.NotThrough,
        },
        exception);

    // A 400 or 403 of the API itself is about this request; of a proxy it is about the upgrade, as all else is.
    private static FeedFailure? OfHandshake(StatusUpdatesException answer) => answer switch
    {
        { StatusCode: HttpStatusCode.Unauthorized } => new(FeedFailureKind.TokenRefused, answer),
        { StatusCode: HttpStatusCode.TooManyRequests } => new(FeedFailureKind.Limited, answer, answer.RetryAfter),
        { StatusCode: HttpStatusCode.ServiceUnavailable } when answer.IsProblem || answer.RetryAfter is not null =>
            new(FeedFailureKind.Limited, answer, answer.RetryAfter),
        { StatusCode: HttpStatusCode.BadRequest or HttpStatusCode.Forbidden, IsProblem: true } => null,
        { StatusCode: not null } => new(FeedFailureKind.UpgradeRefused, answer),
        _ => null,
    };

    private static FeedFailure? OfPoll(StatusUpdatesException answer) => answer switch
    {
        { StatusCode: null or HttpStatusCode.Unauthorized } => null,
        { StatusCode: HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError } =>
            new(FeedFailureKind.Limited, answer, answer.RetryAfter),

        // Only the API's own word is final. What answers in its place may be gone in a minute: an ingress while no instance stands behind it,
        // or a page (a success, even) that a network puts before itself until one has signed in.
        { IsProblem: false } => new(FeedFailureKind.Limited, answer, answer.RetryAfter),
        _ => null,
    };
}
