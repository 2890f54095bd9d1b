using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Options;
using StatusUpdates.ChatLinks;
using Telegram.Bot;
using Telegram.Bot.Exceptions;
using Telegram.Bot.Types;

namespace StatusUpdates.Bot.Telegram;

/// <summary>
/// The bot's requests to Telegram. Each call is one request, which is never repeated here: only the caller knows what may be sent twice.
/// Thread-safe.
/// </summary>
/// <remarks>
/// The token is in the URL of every request. So this class has an HTTP client of its own, which creates no spans and no logs, and has none of
/// the resilience handlers of other clients, which would repeat requests.
/// </remarks>
internal sealed class TelegramApi : IDisposable
{
    /// <summary>The longest text of a message, in UTF-16 code units.</summary>
    public const int MaxTextLength = 4096;

    /// <summary>The largest photo that a bot may upload, in bytes: 10 MB.</summary>
    public const int MaxPhotoBytes = 10 * 1000 * 1000;

    /// <summary>The largest file that a bot may upload, in bytes: 50 MB (https://core.telegram.org/bots/api#sending-files).</summary>
    public const int MaxFileBytes = 50 * 1000 * 1000;

    // Requests with files get this many times more: uploads can be slow, and Telegram answers only after it has fetched a file.
    private const int FileFactor = 4;

    // For the rest of a response whose status has arrived. It has the message's id, which is useful but not required.
    private static readonly TimeSpan AnswerBodyTimeout = TimeSpan.FromSeconds(5);

    private static readonly AsyncLocal<PendingResponse?> Pending = new();

    private static readonly LinkPreviewOptions NoPreview = new() { IsDisabled = true };

    private readonly TelegramOptions _options;
    private readonly HttpClient _http;
    private readonly TelegramBotClient _client;

    public TelegramApi(IOptions<TelegramOptions> options)
    {
        _options = options.Value;
        _http = new HttpClient(new StatusObserver(new SocketsHttpHandler
        {
            // Without a propagator no span is created, which would reveal the URL.
            ActivityHeadersPropagator = null,
            AllowAutoRedirect = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        }))
        {
            // Each request has a time-out of its own.
            Timeout = Timeout.InfiniteTimeSpan,
        };

        // The client must not wait after a 429: the caller releases its cursor meanwhile.
        _client = new TelegramBotClient(new TelegramBotClientOptions(_options.Token, _options.BaseUrl) { RetryCount = 0, RetryThreshold = 0 }, _http);
    }

    /// <summary>How long a request with a file may take; only a poll may take longer.</summary>
    public static TimeSpan FileTimeout(TelegramOptions options) => options.RequestTimeout * FileFactor;

    /// <summary>The bot's user name.</summary>
    /// <exception cref="RequestException">Telegram does not answer, or the token is invalid.</exception>
    public async Task<string> GetNameAsync(CancellationToken cancellationToken) =>
        (await RequestAsync(token => _client.GetMe(token), TimeSpan.Zero, cancellationToken)).Username ?? "";

    /// <summary>Whether Telegram answers.</summary>
    public async Task<bool> IsReachableAsync(CancellationToken cancellationToken)
    {
        try
        {
            await GetNameAsync(cancellationToken);
            return true;
        }
        catch (RequestException)
        {
            return false;
        }
    }

    /// <summary>Waits for messages to the bot from <paramref name="offset"/> on; none after the poll's time-out. Telegram drops earlier ones.</summary>
    /// <exception cref="RequestException">Telegram does not answer, or another instance polls.</exception>
    public async Task<IReadOnlyList<IncomingUpdate>> GetUpdatesAsync(int offset, CancellationToken cancellationToken)
    {
        var poll = new UpdatesRequest(offset, (int)_options.PollTimeout.TotalSeconds);
        var updates = await RequestAsync(token => _client.SendRequest(poll, token), _options.PollTimeout, cancellationToken);
        return [.. updates.Select(IncomingUpdate.Read)];
    }

    /// <summary>Sends plain text.</summary>
    public Task<SendResult> SendTextAsync(ChatPlace place, string text, CancellationToken cancellationToken) => SendAsync(
        "sendMessage",
        token => _client.SendMessage(place.ChatId, text, linkPreviewOptions: NoPreview, messageThreadId: place.TopicId, cancellationToken: token),
        cancellationToken);

    /// <summary>Replaces the text of a message.</summary>
    public Task<SendResult> EditTextAsync(long chatId, int messageId, string text, CancellationToken cancellationToken) => SendAsync(
        "editMessageText",
        token => _client.EditMessageText(chatId, messageId, text, linkPreviewOptions: NoPreview, cancellationToken: token),
        cancellationToken);

    /// <summary>Sends a photo that Telegram fetches itself.</summary>
    public Task<SendResult> SendPhotoAsync(ChatPlace place, Uri url, CancellationToken cancellationToken) => SendAsync(
        "sendPhoto",
        token => _client.SendPhoto(place.ChatId, InputFile.FromUri(url), messageThreadId: place.TopicId, cancellationToken: token),
        cancellationToken,
        isFile: true);

    /// <summary>Uploads a photo of at most <see cref="MaxPhotoBytes"/>.</summary>
    public Task<SendResult> SendPhotoAsync(ChatPlace place, Stream content, string fileName, CancellationToken cancellationToken) => SendAsync(
        "sendPhoto",
        token => _client.SendPhoto(
            place.ChatId, InputFile.FromStream(content, fileName), messageThreadId: place.TopicId, cancellationToken: token),
        cancellationToken,
        isFile: true);

    /// <summary>Uploads a video of at most <see cref="MaxFileBytes"/>, which is shown in the chat.</summary>
    public Task<SendResult> SendVideoAsync(ChatPlace place, Stream content, string fileName, CancellationToken cancellationToken) => SendAsync(
        "sendVideo",
        token => _client.SendVideo(
            place.ChatId, InputFile.FromStream(content, fileName), messageThreadId: place.TopicId, supportsStreaming: true, cancellationToken: token),
        cancellationToken,
        isFile: true);

    /// <summary>Uploads a file of at most <see cref="MaxFileBytes"/>.</summary>
    public Task<SendResult> SendDocumentAsync(ChatPlace place, Stream content, string fileName, CancellationToken cancellationToken) => SendAsync(
        "sendDocument",
        token => _client.SendDocument(
            place.ChatId, InputFile.FromStream(content, fileName), messageThreadId: place.TopicId, cancellationToken: token),
        cancellationToken,
        isFile: true);

    public void Dispose() => _http.Dispose();

    private async Task<T> RequestAsync<T>(Func<CancellationToken, Task<T>> request, TimeSpan beyond, CancellationToken cancellationToken)
    {
        using var limit = Limit(beyond, cancellationToken);
        try
        {
            return await request(limit.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new RequestException("Telegram did not answer in time.", e);
        }
    }

    private async Task<SendResult> SendAsync(
        string method, Func<CancellationToken, Task<Message>> send, CancellationToken cancellationToken, bool isFile = false)
    {
        using var span = BotTelemetry.StartSend(method);
        using var limit = Limit(isFile ? FileTimeout(_options) - _options.RequestTimeout : TimeSpan.Zero, cancellationToken);
        var response = Pending.Value = new PendingResponse(limit);
        SendResult result;
        try
        {
            result = new SendResult(SendOutcome.Sent) { MessageId = (await send(limit.Token)).Id };
        }
        catch (ApiRequestException e)
        {
            result = SendFailures.Of(e);
        }
        catch (Exception e) when (response.IsAccepted && e is RequestException or OperationCanceledException)
        {
            result = new SendResult(SendOutcome.Sent) { Reason = e.Message };
        }
        catch (RequestException e)
        {
            result = SendFailures.Of(e);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            result = new SendResult(SendOutcome.Failed) { Reason = "no answer in time" };
        }

        BotTelemetry.RequestEnded(method, result);
        if (result.Outcome is not (SendOutcome.Sent or SendOutcome.RetryAfter))
        {
            span?.SetStatus(ActivityStatusCode.Error, result.Reason);
        }

        return result;
    }

    private CancellationTokenSource Limit(TimeSpan beyond, CancellationToken cancellationToken)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_options.RequestTimeout + beyond);
        return limit;
    }

    // One request, until the status of its response arrives.
    private sealed class PendingResponse(CancellationTokenSource limit)
    {
        /// <summary>Whether Telegram has accepted the request.</summary>
        public bool IsAccepted { get; private set; }

        public void OnStatus(HttpStatusCode status)
        {
            if (status == HttpStatusCode.OK)
            {
                IsAccepted = true;
                limit.CancelAfter(AnswerBodyTimeout);
            }
        }
    }

    // Sees the status of a response before its body is read. Telegram answers 200 only to requests that it accepted. If such a request were repeated
    // because the body was cut off or never ended, the message would be sent twice.
    private sealed class StatusObserver(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken);
            Pending.Value?.OnStatus(response.StatusCode);
            return response;
        }
    }
}
