using System.Net.Http.Headers;
using System.Text;
using StatusUpdates.Bot.Telegram;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Results;

namespace StatusUpdates.Bot.Results;

/// <summary>
/// Sends one result in the best way that Telegram takes: a photo that it fetches itself, an upload, and in the end its address. The system's
/// own results are read from where the API reads them, since the address under which people reach the API may be none of the internet. Thread-safe.
/// </summary>
internal sealed class ResultSender(TelegramApi api, GenerationResultStore store, ResultFetcher fetcher)
{
    private const string OwnPath = "/results/";
    private const int OwnIdLength = 32;

    /// <summary>Sends it: each way after the other until Telegram has it, or there is another reason to stop.</summary>
    /// <param name="place">Where to.</param>
    /// <param name="url">The result's address.</param>
    /// <param name="skip">How many of the ways to leave out.</param>
    /// <param name="stopping">Ends it between two requests, of which none that is under way is cut short.</param>
    /// <param name="cancellationToken">Ends it at once.</param>
    public async Task<SendResult> SendAsync(ChatPlace place, string url, int skip, CancellationToken stopping, CancellationToken cancellationToken)
    {
        var ways = Uri.TryCreate(url, UriKind.Absolute, out var address) ? WaysOf(place, address, stopping, cancellationToken) : [];
        foreach (var way in ways.Skip(skip))
        {
            if (await way() is { } result && !IsAboutFiles(result))
            {
                return result;
            }

            stopping.ThrowIfCancellationRequested();
        }

        return await api.SendTextAsync(place, ProviderText.Clean(url, TelegramApi.MaxTextLength)!, cancellationToken);
    }

    // Also where photos or files are not allowed, texts may be.
    private static bool IsAboutFiles(SendResult result) => result.Outcome is SendOutcome.Refused or SendOutcome.NotAllowed;

    // Null: there is no such way for this one.
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

        // Of an animation, which a webp may be, a photo would show one frame.
        if (type is "image/png" or "image/jpeg")
        {
            var result = await api.SendPhotoAsync(place, bytes, NameOf(type), cancellationToken);
            if (!IsAboutFiles(result))
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

    // By its id, which nobody guesses, whatever the host before it is: deployments have several addresses.
    private static string? OwnIdOf(Uri url)
    {
        var at = url.AbsolutePath.LastIndexOf(OwnPath, StringComparison.Ordinal);
        var id = at < 0 ? "" : url.AbsolutePath[(at + OwnPath.Length)..];
        return id.Length == OwnIdLength && id.All(char.IsAsciiHexDigitLower) ? id : null;
    }
}
