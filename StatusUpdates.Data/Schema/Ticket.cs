namespace StatusUpdates.Data.Schema;

/// <summary>A ticket that was issued and not used yet. Used, its row is gone.</summary>
public sealed class Ticket
{
    /// <summary>SHA-256 of the ticket. The ticket itself is nowhere but with its client.</summary>
    public required byte[] Hash { get; init; }

    /// <summary>Whose connection it opens.</summary>
    public required string UserId { get; init; }

    /// <summary>When the token that it was issued for was made, if that token says so.</summary>
    public DateTimeOffset? TokenIssuedAt { get; init; }

    /// <summary>When the token that it was issued for expires: as long lasts the connection.</summary>
    public required DateTimeOffset TokenExpiresAt { get; init; }

    /// <summary>Until when it can be used. By the database's clock.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}
