using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Text;

namespace StatusUpdates.Data.Webhooks;

/// <summary>
/// What can be a webhook's URL. A host that is an address is judged here, however it is written; a name when it is registered, and
/// again by the address that each connection is made to (<see cref="WebhookHttp"/>). Thread-safe.
/// </summary>
public static class WebhookUrl
{
    /// <summary>The longest URL, in characters.</summary>
    public const int MaxLength = 2048;

    private const string Loopback = "localhost";

    private static readonly SearchValues<char> HostCharacters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

    /// <summary>Judges a URL.</summary>
    /// <param name="text">As it was given.</param>
    /// <param name="policy">Which schemes and addresses are allowed.</param>
    /// <param name="url">The URL, if the answer is true.</param>
    /// <param name="error">What is wrong with it, if the answer is false: a sentence to show under the field's name.</param>
    public static bool TryParse(
        string? text, AddressPolicy policy, [NotNullWhen(true)] out Uri? url, [NotNullWhen(false)] out string? error)
    {
        url = null;
        var schemes = policy.AllowHttp ? "https or http" : "https";
        if (string.IsNullOrEmpty(text))
        {
            error = $"Is required: an absolute {schemes} URL.";
        }
        else if (text.Length > MaxLength)
        {
            error = string.Create(CultureInfo.InvariantCulture, $"Must have at most {MaxLength} characters.");
        }
        else if (text.AsSpan().ContainsAnyInRange('\0', ' ') || text.AsSpan().ContainsAny('\\', '\u007f')
            || AuthorityOf(text).IsEmpty
            || !Uri.TryCreate(text, UriKind.Absolute, out var parsed)
            || !(parsed.Scheme == Uri.UriSchemeHttps || (policy.AllowHttp && parsed.Scheme == Uri.UriSchemeHttp)))
        {
            error = $"Must be an absolute {schemes} URL, without spaces and backslashes.";
        }
        else if (text.Contains('#', StringComparison.Ordinal))
        {
            error = "Must have no fragment.";
        }
        else if (AuthorityOf(text).Contains('@'))
        {
            error = "Must have no user name or password.";
        }
        else if (parsed.AbsoluteUri.Length > MaxLength)
        {
            error = string.Create(CultureInfo.InvariantCulture, $"Must have at most {MaxLength} characters when it is escaped.");
        }
        else
        {
            error = ErrorOfHost(parsed, policy);
            url = error is null ? parsed : null;
        }

        return error is null;
    }

    /// <summary>The address that a host is, in any spelling; null if it is a name.</summary>
    internal static IPAddress? AddressOf(string host) =>
        IPAddress.TryParse(host.TrimEnd('.'), out var address) ? address : null;

    private static string? ErrorOfHost(Uri url, AddressPolicy policy)
    {
        // Digits, dots and letters of other scripts may or may not become ASCII on the way to a name server: only ASCII says one thing.
        if (!Ascii.IsValid(url.Host))
        {
            return "Must have its host name in ASCII: one of another script in the form that begins with xn--.";
        }

        var host = url.IdnHost.TrimEnd('.');
        if (url.Port == 0 || host.Length == 0)
        {
            return "Must name a host, and no port but 1 to 65535.";
        }

        if (!policy.Ports.Contains(url.Port))
        {
            return ForbiddenPortException.TextOf(policy.Ports.ToString());
        }

        if (AddressOf(url.HostNameType == UriHostNameType.IPv6 ? url.DnsSafeHost : host) is { } address)
        {
            return policy.IsAllowed(address) ? null : ForbiddenAddressException.Text;
        }

        if (host.Equals(Loopback, StringComparison.OrdinalIgnoreCase) || host.EndsWith("." + Loopback, StringComparison.OrdinalIgnoreCase))
        {
            // By definition, whatever a resolver says (RFC 6761, section 6.3).
            return policy.IsAllowed(IPAddress.Loopback) || policy.IsAllowed(IPAddress.IPv6Loopback) ? null : ForbiddenAddressException.Text;
        }

        // A last label of digits can only be a part of an address, and one that not every parser reads alike.
        var last = host.AsSpan(host.LastIndexOf('.') + 1);
        return host.AsSpan().ContainsAnyExcept(HostCharacters) || char.IsAsciiDigit(last[0])
            ? "Must have a host name of letters, digits, hyphens and dots whose last part does not begin with a digit, or an address."
            : null;
    }

    // Of the text, not of the parsed URL, which does not know an empty user name from none.
    private static ReadOnlySpan<char> AuthorityOf(string text)
    {
        var start = text.IndexOf("://", StringComparison.Ordinal);
        if (start < 0)
        {
            return [];
        }

        var rest = text.AsSpan(start + 3);
        var end = rest.IndexOfAny('/', '?');
        return end < 0 ? rest : rest[..end];
    }
}
