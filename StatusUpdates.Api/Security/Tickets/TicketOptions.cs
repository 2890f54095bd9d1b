using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Security.Tickets;

/// <summary>Settings of tickets; configuration section <c>Tickets</c>.</summary>
internal sealed class TicketOptions
{
    public const string SectionName = "Tickets";

    /// <summary>How long a ticket can be used. Default 30 s: as long as a slow network may take between the answer and the handshake.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromSeconds(30);
}

[OptionsValidator]
internal sealed partial class TicketOptionsValidator : IValidateOptions<TicketOptions>;
