using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Text;
using StatusUpdates.Egress;

namespace StatusUpdates.Webhooks.Registration;

/// <summary>
/// Checks URLs of webhooks. A host that is an address is checked here, in any notation; a name when it is registered, and again by the
/// address of each connection (<see cref="EgressHttp"/>). Thread-safe.
/// </summary>
public static class WebhookUrl
{
    /// <summary>The longest URL, in characters.</summary>
    public const int MaxLength = 2048;

    private const string Loopback = "localhost";

    private static readonly SearchValues<char> HostCharacters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

    /// <summary>Checks a URL.</summary>
    /// <param name="text">The text, as it was given.</param>
    /// <param name="policy">Which schemes, ports and addresses are allowed.</param>
    /// <param name="url">The URL, if the text is valid.</param>
    /// <param name="error">What is wrong, if it is not valid: a sentence to show under the field's name.</param>
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
            error = $"Must be an absolute {schemes} URL, without spaces or backslashes.";
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
            error = string.Create(CultureInfo.InvariantCulture, $"Must have at most {MaxLength} characters when escaped.");
        }
        else
        {
            error = HostError(parsed, policy);
            url = error is null ? parsed : null;
        }

        return error is null;
    }

    private static string? HostError(Uri url, AddressPolicy policy)
    {
        // Digits, dots and letters of other scripts may or may not become ASCII on the way to a name server: only ASCII is unambiguous.
        if (!Ascii.IsValid(url.Host))
        {
            return "Must have its host name in ASCII; a name in another script in its xn-- form.";
        }

        var host = url.IdnHost.TrimEnd('.');
        if (url.Port == 0 || host.Length == 0)
        {
            return "Must have a host, and if it has a port, one from 1 to 65535.";
        }

        if (!policy.Ports.Contains(url.Port))
        {
            return ForbiddenPortException.TextOf(policy.Ports.ToString());
        }

        if (HostLookups.AddressOf(url.HostNameType == UriHostNameType.IPv6 ? url.DnsSafeHost : host) is { } address)
        {
            return policy.IsAllowed(address) ? null : ForbiddenAddressException.Text;
        }

        if (host.Equals(Loopback, StringComparison.OrdinalIgnoreCase) || host.EndsWith("." + Loopback, StringComparison.OrdinalIgnoreCase))
        {
            // By definition, regardless of the resolver (RFC 6761, section 6.3).
            return policy.IsAllowed(IPAddress.Loopback) || policy.IsAllowed(IPAddress.IPv6Loopback) ? null : ForbiddenAddressException.Text;
        }

        // A last label that begins with a digit can only be a part of an address, and one that parsers read differently.
        var last = host.AsSpan(host.LastIndexOf('.') + 1);
        return host.AsSpan().ContainsAnyExcept(HostCharacters) || char.IsAsciiDigit(last[0])
            ? "Must have as its host an address, or a name of letters, digits, hyphens and dots whose last part does not begin with a digit."
            : null;
    }

    // Of the text, not of the parsed URL, which does not distinguish an empty user name from none.
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
