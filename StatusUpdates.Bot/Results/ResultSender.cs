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
    public async Task<SendResult> SendAsync(long chatId, string url, CancellationToken cancellationToken)
    {
        foreach (var way in Uri.TryCreate(url, UriKind.Absolute, out var address) ? WaysOf(chatId, address, cancellationToken) : [])
        {
            if (await way() is { Outcome: not SendOutcome.Refused } result)
            {
                return result;
            }
        }

        return await api.SendTextAsync(chatId, ProviderText.Clean(url, TelegramApi.MaxTextLength)!, cancellationToken);
    }

    // Null: there is no such way for this one.
    private IEnumerable<Func<Task<SendResult?>>> WaysOf(long chatId, Uri url, CancellationToken cancellationToken)
    {
        if (OwnIdOf(url) is { } id)
        {
            yield return async () => await store.FindAsync(id, cancellationToken) is { } own
                ? await UploadAsync(chatId, own.ContentType, own.Bytes, cancellationToken)
                : null;
        }

        if (PublicAddresses.IsReachable(url))
        {
            yield return async () => await api.SendPhotoAsync(chatId, url, cancellationToken);
        }

        yield return async () => await fetcher.TryFetchAsync(url, cancellationToken) is { } fetched
            ? await UploadAsync(chatId, fetched.ContentType, fetched.Bytes, cancellationToken)
            : null;
    }

    private async Task<SendResult?> UploadAsync(long chatId, string contentType, byte[] bytes, CancellationToken cancellationToken)
    {
        var type = MediaTypeHeaderValue.TryParse(contentType, out var parsed) ? parsed.MediaType : null;
        if (type == "text/plain" && Encoding.UTF8.GetString(bytes).Trim() is { Length: > 0 and <= TelegramApi.MaxTextLength } text)
        {
            return await api.SendTextAsync(chatId, text, cancellationToken);
        }

        // Of an animation, which a webp may be, a photo would show one frame.
        if (type is "image/png" or "image/jpeg"
            && await api.SendPhotoAsync(chatId, bytes, NameOf(type), cancellationToken) is { Outcome: not SendOutcome.Refused } result)
        {
            return result;
        }

        return await api.SendDocumentAsync(chatId, bytes, NameOf(type), cancellationToken);
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
