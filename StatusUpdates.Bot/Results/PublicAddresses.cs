using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.Bot.Results;

/// <summary>
/// Tells addresses of the public internet from all others
/// (https://www.iana.org/assignments/iana-ipv4-special-registry, https://www.iana.org/assignments/iana-ipv6-special-registry).
/// </summary>
internal static class PublicAddresses
{
    private static readonly IPNetwork[] Special =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
            "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
            "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
        }.Select(text => IPNetwork.Parse(text)),
    ];

    // Names that no public server has (RFC 6761, RFC 6762, RFC 8375, and .internal, which is reserved for private use).
    private static readonly string[] InnerSuffixes = [".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test"];

    private static readonly IPNetwork Routed = IPNetwork.Parse("2000::/3");

    /// <summary>Whether a connection to it leads to the public internet.</summary>
    public static bool Contains(IPAddress address)
    {
        var target = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return (target.AddressFamily == AddressFamily.InterNetwork || Routed.Contains(target))
            && !Array.Exists(Special, network => network.Contains(target));
    }

    /// <summary>Whether Telegram may be able to fetch it: https, at a name that can be known outside, or at a public address.</summary>
    public static bool IsReachable(Uri url)
    {
        if (url.Scheme != Uri.UriSchemeHttps || url.UserInfo.Length > 0)
        {
            return false;
        }

        if (IPAddress.TryParse(url.IdnHost, out var address))
        {
            return Contains(address);
        }

        var host = url.IdnHost.TrimEnd('.');
        return host.Contains('.', StringComparison.Ordinal)
            && !Array.Exists(InnerSuffixes, suffix => host.EndsWith(suffix, StringComparison.OrdinalIgnoreCase));
    }
}
