using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Options;
using Telegram.Bot;
using Telegram.Bot.Exceptions;
using Telegram.Bot.Types;

namespace StatusUpdates.Bot.Telegram;

/// <summary>
/// What the bot asks of Telegram: each call is one request, which is never repeated here, because who repeats has to know what may come
/// twice. Thread-safe.
/// </summary>
/// <remarks>
/// The token is in the address of every request. So this has an HTTP client of its own that makes no spans and no logs; and nothing
/// repeats its requests, as the resilience that other clients get would.
/// </remarks>
internal sealed class TelegramApi : IDisposable
{
    /// <summary>The longest text of a message, in UTF-16 code units.</summary>
    public const int MaxTextLength = 4096;

    // A file has this much more, be it uploaded by a slow line or fetched by Telegram, which answers once it has it.
    private const int FileFactor = 4;

    // For the rest of an answer whose status has come: it says the message's number, which is good to have and no more.
    private static readonly TimeSpan AnswerBodyTimeout = TimeSpan.FromSeconds(5);

    private static readonly AsyncLocal<Answer?> Awaited = new();

    private static readonly LinkPreviewOptions NoPreview = new() { IsDisabled = true };

    private readonly TelegramOptions _options;
    private readonly HttpClient _http;
    private readonly TelegramBotClient _client;

    public TelegramApi(IOptions<TelegramOptions> options)
    {
        _options = options.Value;
        _http = new HttpClient(new AnswerWatch(new SocketsHttpHandler
        {
            // Without it no span is made, which would show the address.
            ActivityHeadersPropagator = null,
            AllowAutoRedirect = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        }))
        {
            // Each request has its own.
            Timeout = Timeout.InfiniteTimeSpan,
        };

        // Who is told to wait gives its cursor back meanwhile, so the client must not wait by itself.
        _client = new TelegramBotClient(new TelegramBotClientOptions(_options.Token, _options.BaseUrl) { RetryCount = 0, RetryThreshold = 0 }, _http);
    }

    /// <summary>How long a request with a file may take: the longest of all but the question for commands.</summary>
    public static TimeSpan FileTimeout(TelegramOptions options) => options.RequestTimeout * FileFactor;

    /// <summary>The bot's own name.</summary>
    /// <exception cref="RequestException">Telegram does not answer, or the token is no bot's.</exception>
    public async Task<string> GetNameAsync(CancellationToken cancellationToken)
    {
        using var limit = Limit(TimeSpan.Zero, cancellationToken);
        try
        {
            return (await _client.GetMe(limit.Token)).Username ?? "";
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw TimedOut(e);
        }
    }

    /// <summary>Whether Telegram answers at all.</summary>
    public async Task<bool> IsThereAsync(CancellationToken cancellationToken)
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

    /// <summary>Messages to the bot from <paramref name="offset"/> on, when there are any, or none after the poll's time. What is before is forgotten.</summary>
    /// <exception cref="RequestException">Telegram does not answer, or another one asks.</exception>
    public async Task<IReadOnlyList<IncomingUpdate>> GetUpdatesAsync(int offset, CancellationToken cancellationToken)
    {
        using var limit = Limit(_options.PollTimeout, cancellationToken);
        try
        {
            var updates = await _client.SendRequest(new UpdatesRequest(offset, (int)_options.PollTimeout.TotalSeconds), limit.Token);
            return [.. updates.Select(IncomingUpdate.Read)];
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw TimedOut(e);
        }
    }

    /// <summary>Sends a plain text.</summary>
    public Task<SendResult> SendTextAsync(ChatPlace place, string text, CancellationToken cancellationToken) => SendAsync(
        "sendMessage",
        token => _client.SendMessage(place.ChatId, text, linkPreviewOptions: NoPreview, messageThreadId: place.TopicId, cancellationToken: token),
        cancellationToken);

    /// <summary>Gives a message another text.</summary>
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

    /// <summary>Uploads a photo.</summary>
    public Task<SendResult> SendPhotoAsync(ChatPlace place, byte[] bytes, string fileName, CancellationToken cancellationToken) => SendAsync(
        "sendPhoto",
        token => _client.SendPhoto(
            place.ChatId, InputFile.FromStream(new MemoryStream(bytes, writable: false), fileName), messageThreadId: place.TopicId, cancellationToken: token),
        cancellationToken,
        isFile: true);

    /// <summary>Uploads a file.</summary>
    public Task<SendResult> SendDocumentAsync(ChatPlace place, byte[] bytes, string fileName, CancellationToken cancellationToken) => SendAsync(
        "sendDocument",
        token => _client.SendDocument(
            place.ChatId, InputFile.FromStream(new MemoryStream(bytes, writable: false), fileName), messageThreadId: place.TopicId, cancellationToken: token),
        cancellationToken,
        isFile: true);

    public void Dispose() => _http.Dispose();

    private async Task<SendResult> SendAsync(
        string method, Func<CancellationToken, Task<Message>> send, CancellationToken cancellationToken, bool isFile = false)
    {
        using var span = BotTelemetry.StartSend(method);
        using var limit = Limit(isFile ? FileTimeout(_options) - _options.RequestTimeout : TimeSpan.Zero, cancellationToken);
        var answer = Awaited.Value = new Answer(limit);
        SendResult result;
        try
        {
            result = new SendResult(SendOutcome.Sent) { MessageId = (await send(limit.Token)).Id };
        }
        catch (ApiRequestException e)
        {
            result = SendFailures.Of(e);
        }
        catch (Exception e) when (answer.IsTaken && e is RequestException or OperationCanceledException)
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

        BotTelemetry.Sent(method, result);
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

    // One request, to the status of its answer.
    private sealed class Answer(CancellationTokenSource limit)
    {
        /// <summary>Whether Telegram has said that it took it.</summary>
        public bool IsTaken { get; private set; }

        public void Came(HttpStatusCode status)
        {
            if (status == HttpStatusCode.OK)
            {
                IsTaken = true;
                limit.CancelAfter(AnswerBodyTimeout);
            }
        }
    }

    // Sees an answer's status before its body is read. Telegram answers 200 to what it took and to nothing else: sent again, because the body was cut or
    // never ended, it would come twice.
    private sealed class AnswerWatch(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken);
            Awaited.Value?.Came(response.StatusCode);
            return response;
        }
    }

    private static RequestException TimedOut(OperationCanceledException e) => new("Telegram did not answer in time.", e);
}
