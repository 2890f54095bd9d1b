using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.Egress;

/// <summary>
/// Distinguishes addresses of the public internet from all others, by the registries of special-purpose addresses
/// (https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry).
/// </summary>
internal static class SpecialAddresses
{
    private static readonly IPNetwork[] SpecialV4 =
    [
        IPNetwork.Parse("0.0.0.0/8"), // this host and network (RFC 791)
        IPNetwork.Parse("10.0.0.0/8"), // private (RFC 1918)
        IPNetwork.Parse("100.64.0.0/10"), // carrier-grade NAT (RFC 6598)
        IPNetwork.Parse("127.0.0.0/8"), // loopback (RFC 1122)
        IPNetwork.Parse("168.63.129.16/32"), // Azure's host, which serves its guests their configuration
        IPNetwork.Parse("169.254.0.0/16"), // link-local (RFC 3927), with the metadata services of most clouds
        IPNetwork.Parse("172.16.0.0/12"), // private (RFC 1918)
        IPNetwork.Parse("192.0.0.0/24"), // protocol assignments (RFC 6890)
        IPNetwork.Parse("192.0.2.0/24"), // documentation (RFC 5737)
        IPNetwork.Parse("192.88.99.0/24"), // 6to4 relays, deprecated (RFC 7526)
        IPNetwork.Parse("192.168.0.0/16"), // private (RFC 1918)
        IPNetwork.Parse("198.18.0.0/15"), // benchmarking (RFC 2544)
        IPNetwork.Parse("198.51.100.0/24"), // documentation (RFC 5737)
        IPNetwork.Parse("203.0.113.0/24"), // documentation (RFC 5737)
        IPNetwork.Parse("224.0.0.0/4"), // multicast (RFC 5771)
        IPNetwork.Parse("240.0.0.0/4"), // reserved, and broadcast (RFC 1112, RFC 919)
    ];

    // What is routed at all (RFC 4291, section 2.4). Outside of it are ::, ::1, IPv4-compatible and IPv4-translated addresses, 64:ff9b:1::/48,
    // 100::/64, 5f00::/16, fc00::/7, fe80::/10, fec0::/10 and ff00::/8.
    private static readonly IPNetwork GlobalV6 = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork[] SpecialV6 =
    [
        IPNetwork.Parse("2001::/23"), // protocol assignments (RFC 2928): Teredo, benchmarking, ORCHID, whose addresses lead anywhere or nowhere
        IPNetwork.Parse("2001:db8::/32"), // documentation (RFC 3849)
        IPNetwork.Parse("2002::/16"), // 6to4 (RFC 3056): leads to the IPv4 address in it through any relay
        IPNetwork.Parse("3ffe::/16"), // formerly 6bone, returned (RFC 3701)
        IPNetwork.Parse("3fff::/20"), // documentation (RFC 9637)
    ];

    // The well-known prefix of NAT64 (RFC 6052): the IPv4 address is in the last 32 bits. With other prefixes its place is unknown.
    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");

    /// <summary>Whether it is an address of the public internet. False for a mapped address: check the IPv4 address in it instead.</summary>
    public static bool IsPublic(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            return !SpecialV4.Any(network => network.Contains(address));
        }

        // A public address is the same on every link: one with a scope id is not public.
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || address.ScopeId != 0)
        {
            return false;
        }

        return Nat64.Contains(address)
            ? IsPublic(new IPAddress(address.GetAddressBytes().AsSpan(12)))
            : GlobalV6.Contains(address) && !SpecialV6.Any(network => network.Contains(address));
    }
}
