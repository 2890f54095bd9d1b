using System.Text.Json.Nodes;

namespace StatusUpdates.Tests.Bot;

/// <summary>One request that the fake Bot API got.</summary>
internal sealed class FakeCall(string method, JsonObject parameters)
{
    /// <summary>Such as <c>sendMessage</c>.</summary>
    public string Method => method;

    public JsonObject Parameters => parameters;

    public long ChatId => (long?)parameters["chat_id"] ?? 0;

    /// <summary>The topic that it is for; null for none.</summary>
    public int? TopicId => (int?)parameters["message_thread_id"];

    public string? Text => (string?)parameters["text"];

    /// <summary>A photo's address; null for an upload.</summary>
    public string? Photo => (string?)parameters["photo"];

    /// <summary>What was uploaded.</summary>
    public byte[]? File { get; init; }

    public string? FileName { get; init; }

    /// <summary>Whether it had its effect: a message is shown, or has another text.</summary>
    public bool IsTaken { get; set; }

    /// <summary>The number of the message that it made or edited.</summary>
    public int MessageId { get; set; }

    /// <summary>The status code of the answer; null where there was none, or it could not be given.</summary>
    public int? Answered { get; set; }

    public override string ToString() => $"{method} {ChatId} {Text ?? Photo ?? FileName} {(IsTaken ? "taken" : "not taken")} {Answered}";
}
