using StatusUpdates.Messaging;

namespace StatusUpdates.Client.Feeds;

/// <summary>A message from the server. Types and members that this version does not know are ignored.</summary>
internal sealed record ServerMessage
{
    public const string Connected = "connected";
    public const string StatusUpdate = "status_update";
    public const string StatusBatch = "status_batch";
    public const string Position = "position";
    public const string Resync = "resync";
    public const string TokenExpiring = "token_expiring";
    public const string Authenticated = "authenticated";
    public const string Error = "error";

    /// <summary>Whether messages of this type have other members to read. In an unknown type the same names may have another meaning.</summary>
    public static bool HasMembers(string? type) => type is Connected or StatusUpdate or StatusBatch or Position or Resync or Error;

    public string? Type { get; init; }

    public StatusUpdate? Payload { get; init; }

    public IReadOnlyList<StatusUpdate>? Payloads { get; init; }

    public long? Seq { get; init; }

    public string? Cursor { get; init; }

    public string? UserId { get; init; }

    public string? Code { get; init; }

    public string? Message { get; init; }
}

/// <summary>A fresh token for an open connection.</summary>
internal sealed record AuthenticateMessage(string Token)
{
    public string Type { get; } = "authenticate";
}
