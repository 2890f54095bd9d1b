using System.Text.Json.Nodes;

namespace StatusUpdates.Tests.Bot;

/// <summary>What the fake Bot API does with a request instead of taking it.</summary>
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

    /// <summary>A proxy's page.</summary>
    public static FakeReply BadGateway { get; } = new Raw(502, "<html>Bad Gateway</html>");

    /// <summary>An error of the Bot API.</summary>
    public sealed record Error(int Code, string Description, JsonObject? Parameters = null) : FakeReply;

    /// <summary>Something that is no answer of the Bot API.</summary>
    public sealed record Raw(int Code, string Body) : FakeReply;

    /// <summary>No answer; the request is not taken.</summary>
    public sealed record Hang : FakeReply;

    /// <summary>The connection is closed; the request is not taken.</summary>
    public sealed record CloseBefore : FakeReply;

    /// <summary>The request is taken, and the connection closed: the acknowledgement is lost.</summary>
    public sealed record CloseAfter : FakeReply;

    /// <summary>The request is taken and acknowledged by the answer's status, whose body breaks off, or never ends.</summary>
    public sealed record HeadAlone(bool Closes) : FakeReply;

    /// <summary>Taken and answered, when this task has ended.</summary>
    public sealed record After(Task Signal) : FakeReply;
}
