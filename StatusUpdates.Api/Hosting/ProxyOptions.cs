using System.ComponentModel.DataAnnotations;
using System.Net;

namespace StatusUpdates.Api.Hosting;

/// <summary>
/// The proxies whose <c>X-Forwarded-For</c> and <c>X-Forwarded-Proto</c> are trusted. Anyone can send these headers: if they were accepted from
/// everyone, the limit by address could be evaded. Read by the API.
/// </summary>
internal sealed class ProxyOptions : IValidatableObject
{
    public const string SectionName = "ForwardedHeaders";

    /// <summary>
    /// The proxies' networks in CIDR notation, such as <c>10.1.0.0/16</c> or <c>10.1.0.7/32</c>; an entry may have several, separated by commas.
    /// </summary>
    public string[] KnownNetworks { get; set; } = [];

    public bool IsEmpty => Networks().Count == 0;

    public IReadOnlyList<IPNetwork> Networks() => [.. KnownNetworks.SelectMany(Parts).Select(text => IPNetwork.Parse(text))];

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => SectionOptions.InvalidEntries(
        $"{SectionName}:{nameof(KnownNetworks)}",
        KnownNetworks,
        entry => Parts(entry).All(text => IPNetwork.TryParse(text, out _)),
        "networks in CIDR notation, such as 10.1.0.0/16.");

    // A deployment parameter sets one entry, but an ingress may have several networks.
    private static string[] Parts(string entry) => entry.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
