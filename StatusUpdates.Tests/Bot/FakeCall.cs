using System.Text.Json.Nodes;

namespace StatusUpdates.Tests.Bot;

/// <summary>One request that the fake Bot API received.</summary>
internal sealed class FakeCall(string method, JsonObject parameters)
{
    /// <summary>Such as <c>sendMessage</c>.</summary>
    public string Method => method;

    public JsonObject Parameters => parameters;

    /// <summary>The chat that it is for; 0 for none.</summary>
    public long ChatId => (long?)parameters["chat_id"] ?? 0;

    /// <summary>The topic that it is for; null for none.</summary>
    public int? TopicId => (int?)parameters["message_thread_id"];

    public string? Text => (string?)parameters["text"];

    /// <summary>A photo's URL; null for an upload.</summary>
    public string? Photo => (string?)parameters["photo"];

    /// <summary>The uploaded file.</summary>
    public byte[]? File { get; init; }

    public string? FileName { get; init; }

    /// <summary>Whether it took effect: a message was sent, or its text changed.</summary>
    public bool IsAccepted { get; set; }

    /// <summary>The id of the message that it sent or edited.</summary>
    public int MessageId { get; set; }

    /// <summary>The status code of the answer; null if there was none, or it could not be delivered.</summary>
    public int? Answered { get; set; }

    public override string ToString() => $"{method} {ChatId} {Text ?? Photo ?? FileName} {(IsAccepted ? "accepted" : "not accepted")} {Answered}";
}
