namespace StatusUpdates.Data.Schema;

/// <summary>An issued, unused ticket. Its row is deleted when it is used.</summary>
public sealed class Ticket
{
    /// <summary>SHA-256 of the ticket. Only its client has the ticket itself.</summary>
    public required byte[] Hash { get; init; }

    /// <summary>The user whose connection it opens.</summary>
    public required string UserId { get; init; }

    /// <summary>When the access token that it was issued for was made, if the token contains that time.</summary>
    public DateTimeOffset? TokenIssuedAt { get; init; }

    /// <summary>When the access token that it was issued for expires: the connection lasts until then.</summary>
    public required DateTimeOffset TokenExpiresAt { get; init; }

    /// <summary>When it expires, by the database's clock.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}
