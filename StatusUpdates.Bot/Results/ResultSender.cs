using System.Net.Http.Headers;
using System.Text;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Results;

namespace StatusUpdates.Bot.Results;

/// <summary>
/// Sends one result in the best way that Telegram accepts: as a photo that Telegram fetches itself, as an upload, and finally as its URL. The
/// system's own results are read from the API's store, since the API's address may not be reachable from the internet. Thread-safe.
/// </summary>
internal sealed class ResultSender(TelegramApi api, GenerationResultStore store, ResultFetcher fetcher)
{
    private const string OwnPath = "/results/";
    private const int OwnIdLength = 32;

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

        return await api.SendTextAsync(place, ProviderText.Clean(url, TelegramApi.MaxTextLength)!, cancellationToken);
    }

    // Where photos or files are not allowed, texts may be.
    private static bool IsFileRejected(SendResult result) => result.Outcome is SendOutcome.Refused or SendOutcome.NotAllowed;

    // A way returns null if it does not apply to the result.
    private IEnumerable<Func<Task<SendResult?>>> WaysOf(
        ChatPlace place, Uri url, CancellationToken stopping, CancellationToken cancellationToken)
    {
        if (OwnIdOf(url) is { } id)
        {
            yield return async () => await store.FindAsync(id, cancellationToken) is { } own
                ? await UploadAsync(place, own.ContentType, own.Bytes, stopping, cancellationToken)
                : null;
        }

        if (PublicAddresses.IsReachable(url))
        {
            yield return async () => await api.SendPhotoAsync(place, url, cancellationToken);
        }

        yield return async () =>
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, cancellationToken);
            return await fetcher.TryFetchAsync(url, either.Token) is { } fetched
                ? await UploadAsync(place, fetched.ContentType, fetched.Bytes, stopping, cancellationToken)
                : null;
        };
    }

    private async Task<SendResult?> UploadAsync(
        ChatPlace place, string contentType, byte[] bytes, CancellationToken stopping, CancellationToken cancellationToken)
    {
        var type = MediaTypeHeaderValue.TryParse(contentType, out var parsed) ? parsed.MediaType : null;
        if (type == "text/plain" && Encoding.UTF8.GetString(bytes).Trim() is { Length: > 0 and <= TelegramApi.MaxTextLength } text)
        {
            return await api.SendTextAsync(place, text, cancellationToken);
        }

        // Not image/webp, which may be an animation: a photo would show only one frame.
        if (type is "image/png" or "image/jpeg")
        {
            var result = await api.SendPhotoAsync(place, bytes, NameOf(type), cancellationToken);
            if (!IsFileRejected(result))
            {
                return result;
            }

            stopping.ThrowIfCancellationRequested();
        }

        return await api.SendDocumentAsync(place, bytes, NameOf(type), cancellationToken);
    }

    private static string NameOf(string? type) => type switch
    {
        "image/png" => "result.png",
        "image/jpeg" => "result.jpg",
        "image/webp" => "result.webp",
        "image/gif" => "result.gif",
        "video/mp4" => "result.mp4",
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
}
