using System.Text.Json;
using System.Text.Json.Serialization;
using StatusUpdates.Api.Json;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>A client's message. Unknown members are ignored.</summary>
/// <param name="Type">The message type.</param>
/// <param name="Token">With <c>authenticate</c>: the fresh token.</param>
internal sealed record ClientMessage(string? Type, string? Token)
{
    public const string Ping = "ping";
    public const string Authenticate = "authenticate";
}

/// <summary>A server's message other than an update. The members depend on <c>type</c>; absent ones are omitted.</summary>
internal sealed record ServerMessage(string Type)
{
    public string? UserId { get; init; }

    public long? Seq { get; init; }

    public string? Cursor { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    public string? Code { get; init; }

    public string? Message { get; init; }

    public static ServerMessage Pong { get; } = new("pong");

    public static ServerMessage Connected(string userId, LogPosition position) =>
        new("connected") { UserId = userId, Seq = position.Seq, Cursor = position.ToString() };

    public static ServerMessage Position(LogPosition position) => new("position") { Seq = position.Seq, Cursor = position.ToString() };

    public static ServerMessage Resync(LogPosition head) => new("resync") { Seq = head.Seq, Cursor = head.ToString() };

    public static ServerMessage TokenExpiring(DateTimeOffset expiresAt) => new("token_expiring") { ExpiresAt = expiresAt };

    public static ServerMessage Authenticated(DateTimeOffset expiresAt) => new("authenticated") { ExpiresAt = expiresAt };

    public static ServerMessage Error(string code, string message) => new("error") { Code = code, Message = message };

    public byte[] Encode() => JsonSerializer.SerializeToUtf8Bytes(this, WebSocketJsonContext.Default.ServerMessage);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    AllowDuplicateProperties = false,
    Converters = [typeof(TimestampConverter)],
    MaxDepth = 8)]
[JsonSerializable(typeof(ClientMessage))]
[JsonSerializable(typeof(ServerMessage))]
internal sealed partial class WebSocketJsonContext : JsonSerializerContext;
