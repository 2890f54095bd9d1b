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

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, WebhookAddressOptions options)
    {
        var wrong = options.AllowedNetworks
            .Select((text, index) => (text, index))
            .Where(network => !IPNetwork.TryParse(network.text, out _))
            .Select(network =>
                $"{SectionName}:{nameof(AllowedNetworks)}:{network.index} must be a network in CIDR notation, such as 10.1.0.0/16, with no bits set beyond its prefix.")
            .ToArray();
        return wrong.Length > 0 ? ValidateOptionsResult.Fail(wrong) : ValidateOptionsResult.Success;
    }

    internal AddressPolicy ToPolicy() => new(AllowedNetworks.Select(text => IPNetwork.Parse(text)), AllowHttp);
}
