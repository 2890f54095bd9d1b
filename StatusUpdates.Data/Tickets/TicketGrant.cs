namespace StatusUpdates.Data.Tickets;

/// <summary>What a ticket carries: the user and the times of the token that it was issued for.</summary>
/// <param name="UserId">The user.</param>
/// <param name="TokenIssuedAt">When the token was made, if it says so.</param>
/// <param name="TokenExpiresAt">When the token expires.</param>
public sealed record TicketGrant(string UserId, DateTimeOffset? TokenIssuedAt, DateTimeOffset TokenExpiresAt);

/// <summary>A ticket, as its client gets it.</summary>
/// <param name="Text">The secret: 43 characters that need no escaping in a URL.</param>
/// <param name="ExpiresAt">Until when it can be used, by the database's clock.</param>
public sealed record IssuedTicket(string Text, DateTimeOffset ExpiresAt);
