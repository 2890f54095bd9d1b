using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.Api.RateLimiting;

internal static class ClientAddress
{
    private const int Ipv6PrefixBytes = 8;

    /// <summary>
    /// The key that an address is counted under: an IPv4 address itself; for an IPv6 address its /64 network, since a host can choose any
    /// address within it.
    /// </summary>
    public static string KeyOf(IPAddress? address)
    {
        if (address is null)
        {
            return "unknown";
        }

        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        return address.AddressFamily == AddressFamily.InterNetworkV6
            ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, Ipv6PrefixBytes))
            : address.ToString();
    }
}
