namespace StatusUpdates.Api.Security.Tickets;

/// <summary>A ticket: opens one connection of the caller.</summary>
/// <param name="Ticket">The ticket, for <c>?ticket=</c>.</param>
/// <param name="ExpiresAt">When it expires.</param>
internal sealed record TicketView(string Ticket, DateTimeOffset ExpiresAt);
