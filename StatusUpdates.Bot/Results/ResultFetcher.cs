using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.Data.Webhooks;

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

    private readonly HttpClient _http;
    private readonly ILogger _logger;

    public ResultFetcher(IOptions<TelegramOptions> options, HostLookUps lookUps, ILogger<ResultFetcher> logger)
    {
        _logger = logger;

        // Guarded as webhooks are: the address that was judged is the one that is connected to.
        var policy = new AddressPolicy(options.Value.ResultNetworks.Select(text => IPNetwork.Parse(text)), allowHttp: true);
        _http = new HttpClient(WebhookHttp.CreateHandler(policy, lookUps))
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

    [LoggerMessage(5201, LogLevel.Information, "A result at {Host} could not be fetched: {Reason}")]
    private partial void LogNotFetched(string host, string reason);
}
