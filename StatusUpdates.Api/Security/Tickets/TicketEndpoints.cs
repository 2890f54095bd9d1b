using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Api.Json;

namespace StatusUpdates.Api.Security.Tickets;

/// <summary>
/// <c>POST /api/v1/tickets</c>: exchanges a token for a ticket, which can be put in a URL although proxies and browser histories keep URLs: it
/// works once and only for seconds.
/// </summary>
internal static class TicketEndpoints
{
    public static void AddTickets(this IHostApplicationBuilder builder) => builder.Services.AddSingleton<TicketStore>();

    public static void MapTickets(this WebApplication app) => app.MapPlainGroup("/api/v1", "Tickets").MapPost("/tickets", IssueAsync)
        .WithName("CreateTicket")
        .WithSummary("Creates a ticket that opens one connection")
        .WithDescription("For ?ticket= of the WebSocket and of the event streams. It works once; its connection expires with the token that the ticket was created with.");

    private static async Task<Ok<Success<TicketView>>> IssueAsync(
        ClaimsPrincipal user, TicketStore tickets, CancellationToken cancellationToken) =>
        TypedResults.Ok(new Success<TicketView>(await tickets.IssueAsync(user.GetAccessToken(), cancellationToken)));
}
