namespace StatusUpdates.Api.Security.Tickets;

/// <summary>What a ticket grants: the user, and the times of the access token that it was issued for.</summary>
/// <param name="UserId">The user.</param>
/// <param name="TokenIssuedAt">When the access token was made, if it contains that time.</param>
/// <param name="TokenExpiresAt">When the access token expires.</param>
internal sealed record TicketGrant(string UserId, DateTimeOffset? TokenIssuedAt, DateTimeOffset TokenExpiresAt);

/// <summary>A ticket, as the client gets it.</summary>
/// <param name="Text">The secret: 43 characters that need no escaping in a URL.</param>
/// <param name="ExpiresAt">When it expires, by the database's clock.</param>
internal sealed record IssuedTicket(string Text, DateTimeOffset ExpiresAt);
