using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using StatusUpdates.Client.Http;
using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

/// <summary>
/// A client of the StatusUpdates API for one user, the one whose token it sends. Thread-safe; one instance serves any number of calls and
/// feeds, which share its connections and its token. Every call may throw <see cref="StatusUpdatesException"/> (the API refused),
/// <see cref="HttpRequestException"/> or <see cref="IOException"/> (the network failed) and <see cref="TimeoutException"/>.
/// </summary>
public sealed class StatusUpdatesClient : IDisposable
{
    private const string Generations = "api/v1/generations";

    private readonly ApiCaller _api;

    /// <exception cref="ArgumentException">A setting is out of range; the parameter name is the name of the setting.</exception>
    public StatusUpdatesClient(StatusUpdatesClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _api = new(options);
    }

    /// <summary>
    /// Creates a feed of the user's status updates: exactly once, in order, over WebSocket or, where that does not get through, long polling.
    /// It connects when it is enumerated. "Exactly once" applies to yielding: an item whose loop body throws counts as yielded, and the same
    /// feed skips it when it is enumerated again. To process updates at least once, see <see cref="StatusFeed.Cursor"/>.
    /// </summary>
    /// <param name="options">Where the feed starts and which updates it includes; by default all updates from now on.</param>
    public StatusFeed Watch(StatusFeedOptions? options = null)
    {
        options ??= new();
        options.Validate();
        return new(_api, options);
    }

    /// <summary>Like <see cref="Watch"/>, as a plain sequence of updates.</summary>
    /// <param name="onResync">
    /// Called, in sequence with the updates, when the log could not serve the cursor: updates were missed. Receives the position from which
    /// the feed continues; should reload the state with <see cref="ListAsync"/> or <see cref="GetAsync"/>. Its exceptions end the sequence.
    /// </param>
    /// <param name="options">Where the feed starts and which updates it includes; by default all updates from now on.</param>
    /// <param name="cancellationToken">Ends the sequence with an <see cref="OperationCanceledException"/>.</param>
    public IAsyncEnumerable<StatusUpdate> WatchAsync(
        Func<LogPosition, CancellationToken, ValueTask> onResync,
        StatusFeedOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(onResync);
        return UpdatesAsync(Watch(options), onResync, cancellationToken);
    }

    /// <summary>Submits a generation. Sending the same request again after a lost response returns the same generation.</summary>
    public Task<Generation> SubmitAsync(SubmitGenerationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var body = JsonSerializer.SerializeToUtf8Bytes(request, ClientJsonContext.Default.SubmitGenerationRequest);
        return _api.SendAsync(
            HttpMethod.Post,
            Generations,
            ClientJsonContext.Default.EnvelopeGeneration,
            cancellationToken,
            message =>
            {
                message.Headers.Add("Idempotency-Key", request.IdempotencyKey);
                message.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
            });
    }

    /// <summary>Gets a generation.</summary>
    /// <exception cref="StatusUpdatesException">Code <c>not_found</c>: it does not exist or belongs to another user.</exception>
    public Task<Generation> GetAsync(string id, CancellationToken cancellationToken = default) =>
        _api.SendAsync(HttpMethod.Get, PathOf(id), ClientJsonContext.Default.EnvelopeGeneration, cancellationToken);

    /// <summary>Gets a page of the user's generations, newest first.</summary>
    public Task<GenerationPage> ListAsync(GenerationQuery? query = null, CancellationToken cancellationToken = default)
    {
        var address = new QueryText(Generations);
        query?.AddTo(address);
        return _api.SendAsync(HttpMethod.Get, address.ToString(), ClientJsonContext.Default.EnvelopeGenerationPage, cancellationToken);
    }

    /// <summary>Gets the user's generations, newest first. Pages are requested as the enumeration needs them.</summary>
    public async IAsyncEnumerable<Generation> ListAllAsync(
        GenerationQuery? query = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        query ??= new();
        while (true)
        {
            var page = await ListAsync(query, cancellationToken).ConfigureAwait(false);
            foreach (var generation in page.Items)
            {
                yield return generation;
            }

            if (page.NextCursor is not { } next)
            {
                yield break;
            }

            query = query with { Cursor = next, Offset = null };
        }
    }

    /// <summary>Gets the updates of a generation.</summary>
    /// <param name="id">The generation's id.</param>
    /// <param name="since">Only updates after this position.</param>
    /// <param name="limit">How many: 1 to 1,000; the API's default is 100.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public Task<GenerationHistory> GetHistoryAsync(
        string id, LogPosition? since = null, int? limit = null, CancellationToken cancellationToken = default)
    {
        var address = new QueryText(PathOf(id) + "/history");
        address.Add("since", since?.ToString());
        address.Add("limit", limit);
        return _api.SendAsync(HttpMethod.Get, address.ToString(), ClientJsonContext.Default.EnvelopeGenerationHistory, cancellationToken);
    }

    /// <summary>
    /// Cancels a generation. A pending one is canceled at once; a running one is asked to stop and gets a
    /// <see cref="GenerationView.CancelRequestedAt"/>.
    /// </summary>
    /// <exception cref="StatusUpdatesException">Code <c>generation_terminal</c>: the generation has already ended.</exception>
    public Task<Generation> CancelAsync(string id, CancellationToken cancellationToken = default) =>
        _api.SendAsync(HttpMethod.Post, PathOf(id) + "/cancel", ClientJsonContext.Default.EnvelopeGeneration, cancellationToken);

    /// <summary>Closes the client's connections. All enumerations of feeds must have ended before.</summary>
    public void Dispose() => _api.Dispose();

    private static async IAsyncEnumerable<StatusUpdate> UpdatesAsync(
        StatusFeed feed, Func<LogPosition, CancellationToken, ValueTask> onResync, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in feed.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            if (item is StatusFeedItem.Updated { Update: var update })
            {
                yield return update;
            }
            else if (item is StatusFeedItem.Resync { Position: var position })
            {
                await onResync(position, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static string PathOf(string id)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        return $"{Generations}/{Uri.EscapeDataString(id)}";
    }
}
