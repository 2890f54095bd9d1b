using System.Net.Http.Headers;
using System.Text;
using Microsoft.Extensions.Logging;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.Data.Log;
using StatusUpdates.ResultStore;
using StatusUpdates.ResultStore.Contents;

namespace StatusUpdates.Bot.Results;

/// <summary>
/// Sends one result in the best way that Telegram accepts: as a photo that Telegram fetches itself, as an upload, and finally as its URL. The
/// system's own results are read from the API's store, since the API's address may not be reachable from the internet; of those that are larger than
/// Telegram takes, the URL is sent. Thread-safe.
/// </summary>
internal sealed partial class ResultSender(TelegramApi api, GenerationResultStore store, ResultFetcher fetcher, ILogger<ResultSender> logger)
{
    private const string OwnPath = "/results/";
    private const int OwnIdLength = 32;

    // UTF-8 has at most three bytes for each UTF-16 code unit.
    private const int MaxTextBytes = 3 * TelegramApi.MaxTextLength;

    /// <summary>Tries one way after the other until Telegram accepts the result, or there is another reason to stop.</summary>
    /// <param name="place">The destination.</param>
    /// <param name="url">The result's URL.</param>
    /// <param name="skip">How many of the ways to skip.</param>
    /// <param name="stopping">Stops it between two requests; a request under way is finished.</param>
    /// <param name="cancellationToken">Cancels it at once.</param>
    public async Task<SendResult> SendAsync(ChatPlace place, string url, int skip, CancellationToken stopping, CancellationToken cancellationToken)
    {
        var ways = Uri.TryCreate(url, UriKind.Absolute, out var address) ? WaysOf(place, address, stopping, cancellationToken) : [];
        foreach (var way in ways.Skip(skip))
        {
            if (await way() is { } result && !IsFileRejected(result))
            {
                return result;
            }

            stopping.ThrowIfCancellationRequested();
        }

        return await SendUrlAsync(place, url, cancellationToken);
    }

    private Task<SendResult> SendUrlAsync(ChatPlace place, string url, CancellationToken cancellationToken) =>
        api.SendTextAsync(place, ProviderText.Clean(url, TelegramApi.MaxTextLength)!, cancellationToken);

    // Where photos or files are not allowed, texts may be.
    private static bool IsFileRejected(SendResult result) => result.Outcome is SendOutcome.Refused or SendOutcome.NotAllowed;

    // A way returns null if it does not apply to the result.
    private IEnumerable<Func<Task<SendResult?>>> WaysOf(
        ChatPlace place, Uri url, CancellationToken stopping, CancellationToken cancellationToken)
    {
        if (OwnIdOf(url) is { } id)
        {
            yield return () => SendOwnAsync(place, url, id, stopping, cancellationToken);
        }

        if (PublicAddresses.IsReachable(url))
        {
            yield return async () => await api.SendPhotoAsync(place, url, cancellationToken);
        }

        yield return async () =>
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, cancellationToken);
            return await fetcher.TryFetchAsync(url, either.Token) is { } fetched
                ? await UploadAsync(
                    place, fetched.ContentType, fetched.Bytes.Length, () => new MemoryStream(fetched.Bytes, writable: false), stopping, cancellationToken)
                : null;
        };
    }

    private async Task<SendResult?> SendOwnAsync(ChatPlace place, Uri url, string id, CancellationToken stopping, CancellationToken cancellationToken)
    {
        if (await store.DescribeAsync(id, cancellationToken) is not { } own)
        {
            return null;
        }

        if (own.Length > TelegramApi.MaxFileBytes)
        {
            return await SendUrlAsync(place, url.AbsoluteUri, cancellationToken);
        }

        try
        {
            // Whether it can be read shows before Telegram is asked to take it.
            await using var content = store.OpenRead(own);
            await content.ReadAtLeastAsync(new byte[1], 1, throwOnEndOfStream: false, cancellationToken);
        }
        catch (Exception e) when (e is ContentStoreException or ContentMissingException)
        {
            LogUnreadable(e.Message);
            return null;
        }

        return await UploadAsync(place, own.ContentType, own.Length, () => store.OpenRead(own), stopping, cancellationToken);
    }

    private async Task<SendResult?> UploadAsync(
        ChatPlace place, string contentType, long length, Func<Stream> open, CancellationToken stopping, CancellationToken cancellationToken)
    {
        var type = MediaTypeHeaderValue.TryParse(contentType, out var parsed) ? parsed.MediaType : null;
        if (type == "text/plain" && length <= MaxTextBytes)
        {
            await using var content = open();
            using var reader = new StreamReader(content, Encoding.UTF8);
            if ((await reader.ReadToEndAsync(cancellationToken)).Trim() is { Length: > 0 and <= TelegramApi.MaxTextLength } text)
            {
                return await api.SendTextAsync(place, text, cancellationToken);
            }
        }

        // Not image/webp, which may be an animation: a photo would show only one frame.
        var isPhoto = type is "image/png" or "image/jpeg" && length <= TelegramApi.MaxPhotoBytes;
        if (isPhoto || type == "video/mp4")
        {
            await using var content = open();
            var result = isPhoto
                ? await api.SendPhotoAsync(place, content, NameOf(type), cancellationToken)
                : await api.SendVideoAsync(place, content, NameOf(type), cancellationToken);
            if (!IsFileRejected(result))
            {
                return result;
            }

            stopping.ThrowIfCancellationRequested();
        }

        await using var file = open();
        return await api.SendDocumentAsync(place, file, NameOf(type), cancellationToken);
    }

    private static string NameOf(string? type) => type switch
    {
        "image/png" => "result.png",
        "image/jpeg" => "result.jpg",
        "image/webp" => "result.webp",
        "image/gif" => "result.gif",
        "video/mp4" => "result.mp4",
        "video/webm" => "result.webm",
        "text/plain" => "result.txt",
        _ => "result.bin",
    };

    // Recognized by its id, which cannot be guessed, and not by its host: deployments have several addresses.
    private static string? OwnIdOf(Uri url)
    {
        var at = url.AbsolutePath.LastIndexOf(OwnPath, StringComparison.Ordinal);
        var id = at < 0 ? "" : url.AbsolutePath[(at + OwnPath.Length)..];
        return id.Length == OwnIdLength && id.All(char.IsAsciiHexDigitLower) ? id : null;
    }

    [LoggerMessage(5202, LogLevel.Error, "A result cannot be read, and is sent in another way: {Reason}")]
    private partial void LogUnreadable(string reason);
}
