using System.Net;

namespace StatusUpdates.Client;

/// <summary>
/// The API refused, and trying again by itself would not help: a problem (RFC 9457) of a REST call or of a handshake, a WebSocket close
/// code, or an answer that this version does not understand. Network failures of REST calls keep their own types
/// (<see cref="HttpRequestException"/>, <see cref="IOException"/>, <see cref="TimeoutException"/>); a feed goes on over them.
/// </summary>
public sealed class StatusUpdatesException : Exception
{
    /// <summary>The <see cref="Code"/> of an answer that this version does not understand.</summary>
    public const string UnexpectedAnswer = "unexpected_answer";

    /// <summary>The <see cref="Code"/> of a feed whose token came to be another user's.</summary>
    public const string UserChanged = "user_changed";

    private static readonly IReadOnlyDictionary<string, IReadOnlyList<string>> NoErrors = new Dictionary<string, IReadOnlyList<string>>();

    public StatusUpdatesException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>The HTTP status, if an HTTP answer was the refusal.</summary>
    public HttpStatusCode? StatusCode { get; init; }

    /// <summary>The WebSocket close code, if a close was the refusal: 4403 is a token of another user.</summary>
    public int? CloseCode { get; init; }

    /// <summary>What went wrong, for programs: the API's stable code, like <c>generation_terminal</c>; null if the answer had none.</summary>
    public string? Code { get; init; }

    /// <summary>With the code <c>invalid_request</c>: what is wrong with each field, parameter or header.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Errors { get; init; } = NoErrors;

    /// <summary>
    /// How long to wait before the next try, if the server said so: as it said it, which may be longer than a timer can be set to. (A feed
    /// waits no longer than 10 min for it.)
    /// </summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The trace to look for in the API's telemetry.</summary>
    public string? TraceId { get; init; }

    /// <summary>Whether the API itself spoke, and not a proxy before it.</summary>
    internal bool IsProblem { get; init; }

    internal static StatusUpdatesException Unexpected(string message, Exception? cause = null) => new(message, cause) { Code = UnexpectedAnswer };
}
