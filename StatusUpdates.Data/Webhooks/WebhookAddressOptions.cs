using System.Net;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Data.Webhooks;

/// <summary>Where webhooks may lead; configuration section <c>Webhooks</c>, the same for all services.</summary>
public sealed class WebhookAddressOptions : IValidateOptions<WebhookAddressOptions>
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Webhooks";

    /// <summary>
    /// Networks that are allowed though they are not public, in CIDR notation, such as <c>10.1.0.0/16</c>. Empty by default. Whoever may
    /// register a webhook can have requests sent into them.
    /// </summary>
    public string[] AllowedNetworks { get; set; } = [];

    /// <summary>Whether URLs may have the scheme <c>http</c>. By default only in Development.</summary>
    public bool AllowHttp { get; set; }

    /// <summary>
    /// Ports that URLs may have, and ranges of ports, such as <c>443</c> and <c>8000-8999</c>. By default 443, 4443, 8443 and 9443, with 80 and 8080 where
    /// <see cref="AllowHttp"/> is true; in Development all.
    /// </summary>
    public string[] AllowedPorts { get; set; } = [];

    /// <summary>What <see cref="AllowedPorts"/> is where it is empty. Set by the environment; no setting.</summary>
    internal bool AllowsAnyPort { get; set; }

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, WebhookAddressOptions options)
    {
        var wrong = options.AllowedNetworks
            .Select((text, index) => (text, index))
            .Where(network => !IPNetwork.TryParse(network.text, out _))
            .Select(network =>
                $"{SectionName}:{nameof(AllowedNetworks)}:{network.index} must be a network in CIDR notation, such as 10.1.0.0/16.")
            .Concat(options.AllowedPorts
                .Select((text, index) => (text, index))
                .Where(port => !PortRanges.TryParse([port.text], out _))
                .Select(port =>
                    $"{SectionName}:{nameof(AllowedPorts)}:{port.index} must be a port from 1 to 65535, such as 443, or a range of them, such as 8000-8999."))
            .ToArray();
        return wrong.Length > 0 ? ValidateOptionsResult.Fail(wrong) : ValidateOptionsResult.Success;
    }

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
