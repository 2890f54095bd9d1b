using System.Text.Json.Serialization;
using StatusUpdates.Api.Json;

namespace StatusUpdates.Api.Security.Tickets;

/// <summary>A ticket: opens one connection of the caller.</summary>
/// <param name="Ticket">The ticket, for <c>?ticket=</c>.</param>
/// <param name="ExpiresAt">When it expires.</param>
internal sealed record TicketView(string Ticket, DateTimeOffset ExpiresAt);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(Success<TicketView>))]
internal sealed partial class TicketJsonContext : JsonSerializerContext;
