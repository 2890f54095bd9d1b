using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Net.Http.Headers;
using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Transports.WebSockets;

/// <summary>
/// The opening handshake: RFC 6455 over HTTP/1.1, RFC 8441 over HTTP/2. Not done by the framework's middleware, because its WebSocket writes
/// and flushes every message separately.
/// </summary>
internal static class WebSocketHandshake
{
    private const string Version = "13";
    private const string KeySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    /// <summary>Checks whether the request is a valid handshake; null if it is.</summary>
    public static ProblemResult? Check(HttpContext context)
    {
        var headers = context.Request.Headers;
        var extended = context.Features.Get<IHttpExtendedConnectFeature>();
        var isExtended = extended is { IsExtendedConnect: true };
        var isHandshake = isExtended
            ? string.Equals(extended!.Protocol, "websocket", StringComparison.OrdinalIgnoreCase)
            : HttpMethods.IsGet(context.Request.Method)
                && context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true }
                && headers.GetCommaSeparatedValues(HeaderNames.Upgrade).Contains("websocket", StringComparer.OrdinalIgnoreCase);
        if (!isHandshake)
        {
            if (HttpProtocol.IsHttp11(context.Request.Protocol))
            {
                // A 426 names the protocol to upgrade to (RFC 9110, section 15.5.22).
                context.Response.Headers.Upgrade = "websocket";
                context.Response.Headers.Connection = "Upgrade";
            }

            return new(ProblemCodes.UpgradeRequired, "This address accepts WebSocket connections only.");
        }

        if (headers.SecWebSocketVersion is not [Version])
        {
            context.Response.Headers.SecWebSocketVersion = Version;
            return new(ProblemCodes.UpgradeRequired, "Sec-WebSocket-Version must be 13.");
        }

        return isExtended || IsKey(headers.SecWebSocketKey)
            ? null
            : ProblemResult.Invalid("Sec-WebSocket-Key", "Must be 16 bytes in base64, once.");
    }

    /// <summary>Switches protocols. From here on the stream belongs to the caller.</summary>
    public static async Task<Stream> AcceptAsync(HttpContext context)
    {
        // The send time-out applies instead: a peer may be slow, or pause for a while.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate && !HttpProtocol.IsHttp2(context.Request.Protocol))
        {
            rate.MinDataRate = null;
        }

        if (context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
        {
            return await connect.AcceptAsync();
        }

        var headers = context.Response.Headers;
        headers.Upgrade = "websocket";
        headers.SecWebSocketAccept = Accept(context.Request.Headers.SecWebSocketKey.ToString());
        return await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
    }

    // RFC 6455, section 4.2.2.
    private static string Accept(string key)
    {
#pragma warning disable CA5350 // The RFC requires SHA-1; it protects nothing here.
        return Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + KeySuffix)));
#pragma warning restore CA5350
    }

    private static bool IsKey(IList<string?> values)
    {
        Span<byte> key = stackalloc byte[18];
        return values is [{ Length: 24 } text] && Convert.TryFromBase64String(text, key, out var length) && length == 16;
    }
}
