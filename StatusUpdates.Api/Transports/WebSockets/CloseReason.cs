namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>Why a WebSocket is closed: all codes that this server sends (RFC 6455, section 7.4, and application codes from 4000).</summary>
/// <param name="Code">The status code; 0: a close frame without one.</param>
/// <param name="Text">The reason, for people; at most 123 bytes of ASCII.</param>
internal sealed record CloseReason(ushort Code, string Text)
{
    /// <summary>The reply to a client's close without a code.</summary>
    public static readonly CloseReason NoStatus = new(0, "");

    /// <summary>The server is stopping or restarting: reconnect with <c>since</c>.</summary>
    public static readonly CloseReason Draining = new(1001, "draining, reconnect with since");

    /// <summary>The client broke the framing rules.</summary>
    public static readonly CloseReason ProtocolError = new(1002, "protocol error");

    /// <summary>A binary message.</summary>
    public static readonly CloseReason Binary = new(1003, "binary messages are not accepted");

    /// <summary>A text message or a close reason that is not UTF-8.</summary>
    public static readonly CloseReason InvalidUtf8 = new(1007, "text must be UTF-8");

    /// <summary>A message over the size limit, whole or in fragments.</summary>
    public static readonly CloseReason TooBig = new(1009, "message too big");

    /// <summary>A fault of the server.</summary>
    public static readonly CloseReason InternalError = new(1011, "internal error");

    /// <summary>The token has expired and the clock skew has passed: reconnect with a fresh token.</summary>
    public static readonly CloseReason TokenExpired = new(4401, "token expired");

    /// <summary>An <c>authenticate</c> with a valid token of another user.</summary>
    public static readonly CloseReason ForeignToken = new(4403, "token of another user");

    /// <summary>More messages per second than allowed.</summary>
    public static readonly CloseReason TooManyMessages = new(4429, "too many messages");

    /// <summary>The reply to a client's close: the same code.</summary>
    public static CloseReason Echo(ushort code) => new(code, "");

    /// <summary>Whether a peer may send this code (RFC 6455, section 7.4, and IANA's registry).</summary>
    public static bool IsValid(int code) => code is (>= 1000 and <= 1003) or (>= 1007 and <= 1014) or (>= 3000 and <= 4999);
}
