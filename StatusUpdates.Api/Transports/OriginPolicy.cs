using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Transports;

/// <summary>
/// Which pages may open a connection, and use the API at all (<see cref="CrossOrigin"/>). Browsers send <c>Origin</c> with every
/// WebSocket handshake but let any page make one, so the server must check it (RFC 6455, section 10.2). Other clients send none; only their
/// token counts. Thread-safe.
/// </summary>
internal sealed class OriginPolicy(IOptions<ConnectionOptions> options)
{
    private readonly HashSet<string> _allowed =
        [.. options.Value.AllowedOrigins.Select(text => TryNormalize(text, out var origin) ? origin : throw new ArgumentException(text))];

    /// <summary>The allowed origins, in addition to the host itself, in normal form.</summary>
    public IReadOnlyCollection<string> Allowed => _allowed;

    /// <summary>An origin in its normal form: lower case, without a default port. A path, query, fragment or credentials make it invalid.</summary>
    public static bool TryNormalize(string? text, [NotNullWhen(true)] out string? origin)
    {
        origin = null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri)
            || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps)
            || uri.UserInfo.Length > 0
            || uri.PathAndQuery is not "/"
            || uri.Fragment.Length > 0)
        {
            return false;
        }

        origin = uri.GetLeftPart(UriPartial.Authority);
        return true;
    }

    /// <summary>Whether the request comes from no page, from a page of this host, or from an allowed origin.</summary>
    public bool IsAllowed(HttpRequest request)
    {
        var header = request.Headers.Origin;
        if (header.Count == 0)
        {
            return true;
        }

        return header.Count == 1 && TryNormalize(header[0], out var origin) && (IsOwn(origin, request.Host) || _allowed.Contains(origin));
    }

    // Only host and port are compared: behind a proxy that terminates TLS the schemes differ.
    private static bool IsOwn(string origin, HostString host) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var page)
        && Uri.TryCreate($"{page.Scheme}://{host.Value}", UriKind.Absolute, out var own)
        && string.Equals(page.Authority, own.Authority, StringComparison.Ordinal);
}
