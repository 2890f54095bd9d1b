using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace StatusUpdates.Client.Http;

/// <summary>
/// Sends requests with the current token and reads the responses. A 401 is retried with a fresh token, at once and then once more after a
/// wait: see <see cref="TokenRetry"/>. Thread-safe.
/// </summary>
internal sealed class ApiCaller : IDisposable
{
    private readonly HttpMessageHandler? _owned;
    private readonly HttpMessageInvoker _invoker;
    private readonly Uri _base;

    public ApiCaller(StatusUpdatesClientOptions options)
    {
        Options = options;
        Tokens = new(options.AccessTokenProvider);

        // Connections are replaced from time to time, or a changed DNS entry would never take effect.
        var handler = options.HttpMessageHandler
            ?? (_owned = new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5), ConnectTimeout = options.ConnectTimeout });
        _invoker = new(handler, disposeHandler: false);
        UpgradeInvoker = new(new UpgradeHandler(handler, options.TimeProvider), disposeHandler: false);
        _base = new(options.BaseAddress.AbsoluteUri.TrimEnd('/') + "/");
    }

    public StatusUpdatesClientOptions Options { get; }

    public AccessTokens Tokens { get; }

    /// <summary>Sends WebSocket handshakes.</summary>
    public HttpMessageInvoker UpgradeInvoker { get; }

    public Uri AddressOf(string relative) => new(_base, relative);

    /// <exception cref="StatusUpdatesException">The API refused the request, or the response is invalid.</exception>
    /// <exception cref="HttpRequestException">The network failed.</exception>
    /// <exception cref="TimeoutException">No response in time.</exception>
    /// <param name="method">The HTTP method.</param>
    /// <param name="relative">Path and query.</param>
    /// <param name="type">The type of the response.</param>
    /// <param name="cancellationToken">The caller's.</param>
    /// <param name="prepare">Completes the request of each attempt.</param>
    /// <param name="extraTime">Added to <see cref="StatusUpdatesClientOptions.RequestTimeout"/>.</param>
    /// <param name="onTokenRequest">
    /// Called with true before the token provider is called and with false after it has returned: its exceptions are the caller's own.
    /// </param>
    public async Task<T> SendAsync<T>(
        HttpMethod method,
        string relative,
        JsonTypeInfo<Envelope<T>> type,
        CancellationToken cancellationToken,
        Action<HttpRequestMessage>? prepare = null,
        TimeSpan extraTime = default,
        Action<bool>? onTokenRequest = null)
        where T : class
    {
        using var deadline = new Deadline(Options.RequestTimeout + extraTime, Options.TimeProvider, cancellationToken);
        try
        {
            string? refused = null;
            for (var refusals = 0; ; refusals++)
            {
                await TokenRetry.WaitAsync(Options, refusals, deadline.Token).ConfigureAwait(false);
                onTokenRequest?.Invoke(true);
                var token = await Tokens.GetAsync(refused, deadline.Token).ConfigureAwait(false);
                onTokenRequest?.Invoke(false);
                using var response = await SendOnceAsync(method, relative, token, prepare, deadline.Token).ConfigureAwait(false);
                if (response.StatusCode != HttpStatusCode.Unauthorized || refusals == TokenRetry.MaxRefusals - 1)
                {
                    return await ReadAsync(response, type, deadline.Token).ConfigureAwait(false);
                }

                refused = token;
            }
        }
        catch (OperationCanceledException e) when (deadline.HasPassed)
        {
            throw new TimeoutException($"The API did not answer {method} /{relative.Split('?')[0]} in {Options.RequestTimeout + extraTime:c}.", e);
        }
    }

    public void Dispose()
    {
        _invoker.Dispose();
        UpgradeInvoker.Dispose();
        _owned?.Dispose();
    }

    private async Task<HttpResponseMessage> SendOnceAsync(
        HttpMethod method, string relative, string token, Action<HttpRequestMessage>? prepare, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, AddressOf(relative));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Headers.Accept.ParseAdd("application/json");
        prepare?.Invoke(request);
        return await _invoker.SendAsync(request, cancellationToken).ConfigureAwait(false);
    }

    private async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<Envelope<T>> type, CancellationToken cancellationToken)
        where T : class
    {
        if (!response.IsSuccessStatusCode)
        {
            throw await ProblemReader.ReadAsync(response, Options.TimeProvider, cancellationToken).ConfigureAwait(false);
        }

        if (!string.Equals(response.Content.Headers.ContentType?.MediaType, "application/json", StringComparison.OrdinalIgnoreCase))
        {
            throw new StatusUpdatesException("The response is not JSON: something other than the API answers at this address.")
            {
                StatusCode = response.StatusCode,
            };
        }

        var body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (body.ConfigureAwait(false))
        {
            try
            {
                var envelope = await JsonSerializer.DeserializeAsync(body, type, cancellationToken).ConfigureAwait(false);
                return envelope?.Data ?? throw StatusUpdatesException.Unexpected("The API's response has no data.");
            }
            catch (JsonException e)
            {
                throw StatusUpdatesException.Unexpected($"The API's response is invalid, at {e.Path ?? "$"}.", e);
            }
        }
    }
}
