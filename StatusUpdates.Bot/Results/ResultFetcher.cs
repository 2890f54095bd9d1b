using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.Bot.Telegram;

namespace StatusUpdates.Bot.Results;

/// <summary>A result's content.</summary>
/// <param name="ContentType">Its media type, as its server says.</param>
/// <param name="Bytes">Its content.</param>
internal sealed record FetchedResult(string ContentType, byte[] Bytes);

/// <summary>
/// Fetches results that Telegram could not fetch itself, within bounds. Addresses are the providers' word: nothing is fetched from outside
/// the public internet but from <see cref="TelegramOptions.ResultNetworks"/>. Thread-safe.
/// </summary>
internal sealed partial class ResultFetcher : IDisposable
{
    /// <summary>What a bot may upload as a photo: 10 MiB.</summary>
    public const int MaxBytes = 10 * 1024 * 1024;

    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(15);

    private readonly IPNetwork[] _allowed;
    private readonly HttpClient _http;
    private readonly ILogger _logger;

    public ResultFetcher(IOptions<TelegramOptions> options, ILogger<ResultFetcher> logger)
    {
        _logger = logger;
        _allowed = [.. options.Value.ResultNetworks.Select(text => IPNetwork.Parse(text))];
        _http = new HttpClient(new SocketsHttpHandler
        {
            // Addresses can hold secrets of their own, and a trace is nobody else's.
            ActivityHeadersPropagator = null,
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            ConnectCallback = ConnectAsync,
            ConnectTimeout = TimeSpan.FromSeconds(5),
        })
        {
            Timeout = TimeLimit,
            MaxResponseContentBufferSize = MaxBytes,
        };
    }

    /// <summary>The content of an image, a video or a sound; null if it is none, too large, or cannot be had.</summary>
    public async Task<FetchedResult?> TryFetchAsync(Uri url, CancellationToken cancellationToken)
    {
        if ((url.Scheme != Uri.UriSchemeHttps && url.Scheme != Uri.UriSchemeHttp) || url.UserInfo.Length > 0)
        {
            return null;
        }

        try
        {
            using var response = await _http.GetAsync(url, cancellationToken);
            var type = response.Content.Headers.ContentType?.MediaType ?? "";
            return response.IsSuccessStatusCode
                && (type.StartsWith("image/", StringComparison.OrdinalIgnoreCase)
                    || type.StartsWith("video/", StringComparison.OrdinalIgnoreCase)
                    || type.StartsWith("audio/", StringComparison.OrdinalIgnoreCase))
                ? new FetchedResult(type, await response.Content.ReadAsByteArrayAsync(cancellationToken))
                : null;
        }
        catch (Exception e) when (
            e is HttpRequestException or IOException or InvalidOperationException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            LogNotFetched(url.Host, e.Message);
            return null;
        }
    }

    public void Dispose() => _http.Dispose();

    // The address that was judged is the one that is connected to, whatever the name says a moment later.
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var host = context.DnsEndPoint.Host;
        var addresses = IPAddress.TryParse(host, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(host, cancellationToken);
        var allowed = Array.FindAll(addresses, IsAllowed);
        if (allowed.Length == 0)
        {
            throw new HttpRequestException("Its host is none of the public internet.");
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private bool IsAllowed(IPAddress address)
    {
        var target = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return PublicAddresses.Contains(target) || Array.Exists(_allowed, network => network.Contains(target));
    }

    [LoggerMessage(5201, LogLevel.Information, "A result at {Host} could not be fetched: {Reason}")]
    private partial void LogNotFetched(string host, string reason);
}
