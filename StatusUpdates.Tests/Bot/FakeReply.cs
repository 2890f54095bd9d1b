using System.Text.Json.Nodes;

namespace StatusUpdates.Tests.Bot;

/// <summary>How the fake Bot API replies to a request, instead of handling it normally.</summary>
internal abstract record FakeReply
{
    public static FakeReply RetryAfter(int seconds) => new Error(
        429, $"Too Many Requests: retry after {seconds}", new JsonObject { ["retry_after"] = seconds });

    public static FakeReply Blocked { get; } = new Error(403, "Forbidden: bot was blocked by the user");

    public static FakeReply ChatNotFound { get; } = new Error(400, "Bad Request: chat not found");

    public static FakeReply BadUrl { get; } = new Error(400, "Bad Request: wrong file identifier/HTTP URL specified");

    public static FakeReply Migrated(long to) => new Error(
        400, "Bad Request: group chat was upgraded to a supergroup chat", new JsonObject { ["migrate_to_chat_id"] = to });

    public static FakeReply BadRequest(string description) => new Error(400, $"Bad Request: {description}");

    public static FakeReply ServerError { get; } = new Error(500, "Internal Server Error");

    /// <summary>A proxy's error page.</summary>
    public static FakeReply BadGateway { get; } = new Raw(502, "<html>Bad Gateway</html>");

    /// <summary>An error of the Bot API.</summary>
    public sealed record Error(int Code, string Description, JsonObject? Parameters = null) : FakeReply;

    /// <summary>A response that is not an answer of the Bot API.</summary>
    public sealed record Raw(int Code, string Body) : FakeReply;

    /// <summary>No answer; the request has no effect.</summary>
    public sealed record Hang : FakeReply;

    /// <summary>The connection is closed; the request has no effect.</summary>
    public sealed record CloseBefore : FakeReply;

    /// <summary>The request takes effect, and the connection is closed: the acknowledgment is lost.</summary>
    public sealed record CloseAfter : FakeReply;

    /// <summary>The request takes effect and the answer's status acknowledges it, but the body breaks off or never ends.</summary>
    public sealed record HeadOnly(bool Closes) : FakeReply;

    /// <summary>The request is handled normally once this task has ended.</summary>
    public sealed record After(Task Signal) : FakeReply;
}
