using System.Net;

namespace StatusUpdates.Data.Webhooks;

/// <summary>
/// Where webhooks may lead: to addresses of the public internet, and to networks that the operator names. Everything else could be a
/// service that trusts whoever reaches it, and its answers are shown to the webhook's owner. Immutable and thread-safe.
/// </summary>
/// <param name="allowedNetworks">Networks that are allowed whatever they are.</param>
/// <param name="allowHttp">Whether URLs may have the scheme <c>http</c>.</param>
/// <param name="ports">Which ports URLs may have; null for all. Others are those of services that nobody has a webhook at, such as mail.</param>
public sealed class AddressPolicy(IEnumerable<IPNetwork> allowedNetworks, bool allowHttp, PortRanges? ports = null)
{
    private readonly IPNetwork[] _allowed = [.. allowedNetworks];

    /// <summary>Whether URLs may have the scheme <c>http</c>.</summary>
    public bool AllowHttp => allowHttp;

    /// <summary>Which ports URLs may have.</summary>
    public PortRanges Ports { get; } = ports ?? PortRanges.All;

    /// <summary>Whether a connection may be made to this address.</summary>
    public bool IsAllowed(IPAddress address)
    {
        // A socket that is given a mapped address connects to the IPv4 address in it.
        var target = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return _allowed.Any(network => network.Contains(target)) || SpecialAddresses.IsPublic(target);
    }
}
