using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.ChatLinks;
using StatusUpdates.Egress;

namespace StatusUpdates.Bot.Results;

/// <summary>A result's content.</summary>
/// <param name="ContentType">Its media type, as stated by its server.</param>
/// <param name="Bytes">Its content.</param>
internal sealed record FetchedResult(string ContentType, byte[] Bytes);

/// <summary>
/// Fetches results that Telegram could not fetch itself, within limits. Result URLs come from providers, so only the public internet and
/// <see cref="TelegramOptions.ResultNetworks"/> are accessed. Thread-safe.
/// </summary>
internal sealed partial class ResultFetcher(IOptions<TelegramOptions> options, HostLookups lookups, ILogger<ResultFetcher> logger) : IDisposable
{
    /// <summary>The largest result that is fetched, in bytes: 10 MiB, which it takes in memory. Of a larger one, the URL is sent.</summary>
    public const int MaxBytes = 10 * 1024 * 1024;

    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(15);

    // Protected like webhooks: the connection is made to the very address that was checked.
    private readonly HttpClient _http = new(EgressHttp.CreateHandler(
        new AddressPolicy(options.Value.ResultNetworks.Select(text => IPNetwork.Parse(text)), allowHttp: true), lookups))
    {
        Timeout = TimeLimit,
        MaxResponseContentBufferSize = MaxBytes,
    };

    /// <summary>The content of an image, video or audio file; null if it is something else, too large, or cannot be fetched.</summary>
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
