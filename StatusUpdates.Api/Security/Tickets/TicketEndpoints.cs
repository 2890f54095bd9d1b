using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Api.Json;
using StatusUpdates.Data.Tickets;

namespace StatusUpdates.Api.Security.Tickets;

/// <summary>
/// <c>POST /api/v1/tickets</c>: changes a token for something that can be shown in an address, where proxies and histories keep it: it
/// works once and for seconds.
/// </summary>
internal static class TicketEndpoints
{
    public static void AddTickets(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSectionOptions<TicketOptions, TicketOptionsValidator>(TicketOptions.SectionName);
        builder.Services.ConfigureHttpJsonOptions(
            options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, TicketJsonContext.Default));
    }

    public static void MapTickets(this WebApplication app) => app.MapPost("/api/v1/tickets", IssueAsync)
        .RequireAuthorization()
        .WithName("CreateTicket")
        .WithTags("Tickets")
        .WithSummary("Makes a ticket that opens one connection")
        .WithDescription("For ?ticket= of the WebSocket and of the event streams. It works once, and carries the expiry of the token it was made with.")
        .ProducesProblems(
            StatusCodes.Status401Unauthorized, StatusCodes.Status429TooManyRequests, StatusCodes.Status503ServiceUnavailable)
        .WithRequestTimeout(HttpDefaults.PlainRequest);

    private static async Task<Ok<Success<TicketView>>> IssueAsync(
        ClaimsPrincipal user, TicketStore tickets, IOptions<TicketOptions> options, CancellationToken cancellationToken)
    {
        var token = user.GetAccessToken();
        var grant = new TicketGrant(token.UserId, token.IssuedAt, token.ExpiresAt);
        var ticket = await tickets.IssueAsync(grant, options.Value.Lifetime, BearerOptionsSetup.ClockSkew, cancellationToken);
        return TypedResults.Ok(new Success<TicketView>(new(ticket.Text, ticket.ExpiresAt)));
    }
}
