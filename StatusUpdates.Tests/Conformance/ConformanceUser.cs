using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Conformance;

/// <summary>A user of the server under test, who uses only its protocol.</summary>
internal sealed class ConformanceUser : IAsyncDisposable
{
    public const string Generations = "/api/v1/generations";
    public const string Poll = "/api/v1/status/poll";
    public const string Stream = "/api/v1/status/stream";
    public const string Tickets = "/api/v1/tickets";

    private readonly List<string> _submitted = [];
    private readonly Action? _release;

    public ConformanceUser(Uri address, string userId, string token, Action? release = null)
    {
        _release = release;
        Address = address;
        UserId = userId;
        Token = token;
        Http = With(token);
    }

    public Uri Address { get; }

    public string UserId { get; }

    public string Token { get; }

    /// <summary>A client with the token in its header.</summary>
    public HttpClient Http { get; }

    private static CancellationToken Time => TestTime.Token;

    public static bool IsTerminal(JsonNode payload) => (string?)payload["status"] is "completed" or "failed" or "canceled";

    public HttpClient With(string? token)
    {
        var http = HttpClients.Create(Address);
        if (token is not null)
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        return http;
    }

    public Task<SocketClient> ConnectAsync(string query = "") => SocketClient.ConnectAsync(Address, UserId, Token, query);

    public Task<RawSocket> ConnectRawAsync() => RawSocket.ConnectAsync(Address, Token);

    public Task<EventClient> StreamAsync(string query = "", string? lastEventId = null) =>
        EventClient.ConnectAsync(Http, UserId, Stream + query, lastEventId);

    public Task<EventClient> StreamOfAsync(string id, string? lastEventId = null) =>
        EventClient.ConnectAsync(Http, UserId, $"{Generations}/{id}/stream", lastEventId);

    public async Task<JsonNode> PollAsync(string query = "")
    {
        using var response = await Http.GetAsync(Poll + query, Time);
        return await response.DataAsync();
    }

    public async Task<long> HeadAsync() => (long)(await PollAsync())["seq"]!;

    public async Task<string> TicketAsync()
    {
        using var response = await Http.PostAsync(Tickets, null, Time);
        return (string)(await response.DataAsync())["ticket"]!;
    }

    /// <summary>Submits a generation and returns it.</summary>
    public async Task<JsonNode> SubmitAsync(string type = "chat")
    {
        using var response = await Http.PostAsync(Generations, Answers.Json($$"""{"type":"{{type}}","prompt":"conformance"}"""), Time);
        var generation = await response.DataAsync(HttpStatusCode.Accepted);
        _submitted.Add((string)generation["id"]!);
        return generation;
    }

    /// <summary>Requests a cancel and returns the answer, also a refusal.</summary>
    public Task<HttpResponseMessage> CancelAsync(string id) => Http.PostAsync($"{Generations}/{id}/cancel", null, Time);

    public async Task<JsonNode> GetAsync(string id)
    {
        using var response = await Http.GetAsync($"{Generations}/{id}", Time);
        return await response.DataAsync();
    }

    public async Task<JsonNode> HistoryAsync(string id, string query = "")
    {
        using var response = await Http.GetAsync($"{Generations}/{id}/history{query}", Time);
        return await response.DataAsync();
    }

    /// <summary>The updates after a position, up to and including the first that matches <paramref name="until"/>.</summary>
    public Task<List<JsonNode>> ReadAsync(long since, Func<JsonNode, bool> until) => ReadAsync($"{since}", until);

    /// <inheritdoc cref="ReadAsync(long, Func{JsonNode, bool})"/>
    public async Task<List<JsonNode>> ReadAsync(string since, Func<JsonNode, bool> until)
    {
        List<JsonNode> read = [];
        while (true)
        {
            var page = await PollAsync($"?since={since}&timeout=30");
            since = (string)page["cursor"]!;
            foreach (var item in page["items"]!.AsArray())
            {
                read.Add(item!);
                if (until(item!))
                {
                    return read;
                }
            }
        }
    }

    /// <summary>Submits generations and waits until all have ended, so that this part of the log no longer grows.</summary>
    /// <returns>The position before it, its updates, and the generations' ids.</returns>
    public async Task<(long Since, List<JsonNode> Updates, string[] Ids)> RunAsync(int count)
    {
        var since = await HeadAsync();
        var ids = new string[count];
        for (var i = 0; i < count; i++)
        {
            ids[i] = (string)(await SubmitAsync(i % 2 == 0 ? "chat" : "product_card"))["id"]!;
        }

        var open = ids.ToHashSet();
        var updates = await ReadAsync(since, update => IsTerminal(update) && open.Remove((string)update["generationId"]!) && open.Count == 0);
        return (since, updates, ids);
    }

    /// <summary>Cancels what is still running; a pooled user is released only when its log no longer changes.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var id in _submitted)
        {
            using var canceled = await CancelAsync(id);
        }

        if (_release is not null)
        {
            foreach (var id in _submitted)
            {
                await using var stream = await StreamOfAsync(id);
                while (!await stream.EndsAsync())
                {
                }
            }

            _release();
        }

        Http.Dispose();
    }
}
