using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.Api.RateLimiting;

internal static class ClientAddress
{
    private const int Ipv6PrefixBytes = 8;

    /// <summary>
    /// Who an address is, for counting: an IPv4 address itself; of an IPv6 address the /64 network, within which a host can choose
    /// addresses at will.
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
