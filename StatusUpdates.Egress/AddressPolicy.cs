using System.Net;

namespace StatusUpdates.Egress;

/// <summary>
/// Which addresses may be connected to for a user: those of the public internet, and networks that the operator allows. Anything else could be a
/// service that trusts every caller, and its responses are shown to the user. Immutable and thread-safe.
/// </summary>
/// <param name="allowedNetworks">Networks that are allowed, public or not.</param>
/// <param name="allowHttp">Whether URLs may have the scheme <c>http</c>.</param>
/// <param name="ports">The ports that URLs may have; null for all. Others belong to services that do not speak HTTP, such as mail.</param>
public sealed class AddressPolicy(IEnumerable<IPNetwork> allowedNetworks, bool allowHttp, PortRanges? ports = null)
{
    private readonly IPNetwork[] _allowed = [.. allowedNetworks];

    /// <summary>Whether URLs may have the scheme <c>http</c>.</summary>
    public bool AllowHttp => allowHttp;

    /// <summary>The ports that URLs may have.</summary>
    public PortRanges Ports { get; } = ports ?? PortRanges.All;

    /// <summary>Whether a connection may be made to this address.</summary>
    public bool IsAllowed(IPAddress address)
    {
        // For a mapped address, a socket connects to the IPv4 address in it.
        var target = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return _allowed.Any(network => network.Contains(target)) || SpecialAddresses.IsPublic(target);
    }
}
