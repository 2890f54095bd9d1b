using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StatusUpdates.Egress;

namespace StatusUpdates.Webhooks;

/// <summary>Webhooks: where they may lead, and how much of them. Read by API and worker, the same for both.</summary>
public sealed class WebhookOptions : IValidatableObject
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Webhooks";

    /// <summary>
    /// Networks that are allowed although they are not public, in CIDR notation, such as <c>10.1.0.0/16</c>. Anyone who may register a webhook can
    /// have requests sent into them.
    /// </summary>
    /// <value>none; loopback in Development</value>
    public string[] AllowedNetworks { get; set; } = [];

    /// <summary>Whether URLs may have the scheme <c>http</c>.</summary>
    /// <value>false; true in Development</value>
    public bool AllowHttp { get; set; }

    /// <summary>Ports that URLs may have, and ranges of ports, such as <c>443</c> and <c>8000-8999</c>.</summary>
    /// <value>443, 4443, 8443, 9443, with <c>AllowHttp</c> also 80 and 8080; in Development all</value>
    public string[] AllowedPorts { get; set; } = [];

    /// <summary>How many webhooks one user may have.</summary>
    [Range(1, 1000)]
    public int MaxPerUser { get; set; } = 20;

    [ValidateObjectMembers]
    public WebhookDeliveryOptions Delivery { get; set; } = new();

    /// <summary>How many webhooks one user may have at one URL, ignoring its query.</summary>
    public int MaxPerUrl { get; internal set; } = 5;

    /// <summary>How long resolving a host name may take at registration; after that, it is only checked at delivery.</summary>
    public TimeSpan ResolveTimeout { get; internal set; } = TimeSpan.FromSeconds(2);

    /// <summary>Whether empty <see cref="AllowedPorts"/> mean all. Set by the environment.</summary>
    internal bool AllowsAnyPort { get; set; }

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. SectionOptions.InvalidEntries(
            $"{SectionName}:{nameof(AllowedNetworks)}",
            AllowedNetworks,
            text => IPNetwork.TryParse(text, out _),
            "a network in CIDR notation, such as 10.1.0.0/16."),
        .. SectionOptions.InvalidEntries(
            $"{SectionName}:{nameof(AllowedPorts)}",
            AllowedPorts,
            text => PortRanges.TryParse([text], out _),
            "a port from 1 to 65535, such as 443, or a range of them, such as 8000-8999."),
    ];

    internal AddressPolicy ToPolicy() => new(AllowedNetworks.Select(text => IPNetwork.Parse(text)), AllowHttp, ToPorts());

    private PortRanges ToPorts()
    {
        if (AllowedPorts.Length == 0 && AllowsAnyPort)
        {
            return PortRanges.All;
        }

        string[] usual = ["443", "4443", "8443", "9443", .. AllowHttp ? new[] { "80", "8080" } : []];
        return PortRanges.TryParse(AllowedPorts.Length > 0 ? AllowedPorts : usual, out var ports)
            ? ports
            : throw new InvalidOperationException("Validated before.");
    }
}

[OptionsValidator]
internal sealed partial class WebhookOptionsValidator : IValidateOptions<WebhookOptions>;
