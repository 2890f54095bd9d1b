using System.Net;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Hosting;

/// <summary>
/// Whose word on a request's address and scheme (<c>X-Forwarded-For</c>, <c>X-Forwarded-Proto</c>) is believed; configuration section
/// <c>ForwardedHeaders</c>. Everybody can send these headers: believed of all, they would make the limit by address no limit.
/// </summary>
internal sealed class ProxyOptions : IValidateOptions<ProxyOptions>
{
    public const string SectionName = "ForwardedHeaders";

    /// <summary>Networks of proxies, in CIDR notation; an entry may hold several, separated by commas. None by default.</summary>
    public string[] KnownNetworks { get; set; } = [];

    /// <summary>Addresses of proxies; an entry may hold several, separated by commas. None by default.</summary>
    public string[] KnownProxies { get; set; } = [];

    public bool IsEmpty => Networks().Count == 0 && Proxies().Count == 0;

    public IReadOnlyList<IPNetwork> Networks() => [.. KnownNetworks.SelectMany(Parts).Select(text => IPNetwork.Parse(text))];

    public IReadOnlyList<IPAddress> Proxies() => [.. KnownProxies.SelectMany(Parts).Select(IPAddress.Parse)];

    public ValidateOptionsResult Validate(string? name, ProxyOptions options)
    {
        string[] failures =
        [
            .. Wrong(options.KnownNetworks, text => IPNetwork.TryParse(text, out _)).Select(index =>
                $"{SectionName}:{nameof(KnownNetworks)}:{index} must be networks in CIDR notation, such as 10.1.0.0/16."),
            .. Wrong(options.KnownProxies, text => IPAddress.TryParse(text, out _)).Select(index =>
                $"{SectionName}:{nameof(KnownProxies)}:{index} must be IP addresses, such as 10.1.0.7."),
        ];
        return failures.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static IEnumerable<int> Wrong(string[] entries, Func<string, bool> isValid) =>
        Enumerable.Range(0, entries.Length).Where(index => !Parts(entries[index]).All(isValid));

    // One parameter of a deployment is one entry, but an ingress may have several networks.
    private static string[] Parts(string entry) => entry.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
