using System.Net;
using StatusUpdates.Egress;

namespace StatusUpdates.Bot.Results;

/// <summary>Which results Telegram may be able to fetch itself.</summary>
internal static class PublicAddresses
{
    private static readonly AddressPolicy Public = new([], allowHttp: false);

    // Names that no public server has (RFC 6761, RFC 6762, RFC 8375, and .internal, which is reserved for private use).
    private static readonly string[] PrivateSuffixes = [".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test"];

    /// <summary>Whether the URL is https, with a host name that can be public or a public IP address.</summary>
    public static bool IsReachable(Uri url)
    {
        if (url.Scheme != Uri.UriSchemeHttps || url.UserInfo.Length > 0)
        {
            return false;
        }

        if (IPAddress.TryParse(url.IdnHost, out var address))
        {
            return Public.IsAllowed(address);
        }

        var host = url.IdnHost.TrimEnd('.');
        return host.Contains('.', StringComparison.Ordinal)
            && !Array.Exists(PrivateSuffixes, suffix => host.EndsWith(suffix, StringComparison.OrdinalIgnoreCase));
    }
}
