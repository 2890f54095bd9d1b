using System.Net;

namespace StatusUpdates.Client;

/// <summary>
/// The API refused, and a retry alone would not help: a problem (RFC 9457) of a REST call or a handshake, a WebSocket close code, or a
/// response that this version does not understand. Network failures of REST calls keep their own types (<see cref="HttpRequestException"/>,
/// <see cref="IOException"/>, <see cref="TimeoutException"/>); a feed retries after them.
/// </summary>
public sealed class StatusUpdatesException : Exception
{
    /// <summary>The <see cref="Code"/> for a response that this version does not understand.</summary>
    public const string UnexpectedAnswer = "unexpected_answer";

    /// <summary>The <see cref="Code"/> for a feed that received a token of another user.</summary>
    public const string UserChanged = "user_changed";

    private static readonly IReadOnlyDictionary<string, IReadOnlyList<string>> NoErrors = new Dictionary<string, IReadOnlyList<string>>();

    public StatusUpdatesException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>The HTTP status, if an HTTP response was the refusal.</summary>
    public HttpStatusCode? StatusCode { get; init; }

    /// <summary>The WebSocket close code, if a close was the refusal: 4403 means a token of another user.</summary>
    public int? CloseCode { get; init; }

    /// <summary>What went wrong, for programs: the API's stable code, such as <c>generation_terminal</c>; null if the response had none.</summary>
    public string? Code { get; init; }

    /// <summary>With the code <c>invalid_request</c>: what is wrong with each field, parameter or header.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Errors { get; init; } = NoErrors;

    /// <summary>
    /// How long to wait before a retry, if the server said so. Not capped: it may exceed the range of timers. (A feed waits at most 10 min.)
    /// </summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The trace to look for in the API's telemetry.</summary>
    public string? TraceId { get; init; }

    /// <summary>Whether the response came from the API itself and not from a proxy in front of it.</summary>
    internal bool IsProblem { get; init; }

    internal static StatusUpdatesException Unexpected(string message, Exception? cause = null) => new(message, cause) { Code = UnexpectedAnswer };
}
