using System.Net;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Bot.Results;

/// <summary>What Telegram may be able to fetch by itself.</summary>
internal static class PublicAddresses
{
    private static readonly AddressPolicy Public = new([], allowHttp: false);

    // Names that no public server has (RFC 6761, RFC 6762, RFC 8375, and .internal, which is reserved for private use).
    private static readonly string[] InnerSuffixes = [".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test"];

    /// <summary>Whether it is https, at a name that can be known outside or at a public address.</summary>
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
            && !Array.Exists(InnerSuffixes, suffix => host.EndsWith(suffix, StringComparison.OrdinalIgnoreCase));
    }
}
