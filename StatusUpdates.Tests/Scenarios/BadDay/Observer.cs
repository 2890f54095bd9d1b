using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Scenarios.BadDay;

/// <summary>An update as a client received it, in one of its stretches: a resync begins a new one.</summary>
internal sealed record Seen(int Stretch, long Seq, string Cursor, string GenerationId, string Status);

/// <summary>
/// A client as the protocol requires: it keeps the cursor of its last update, reconnects with it after any failure, ignores repeats, and starts
/// over at the cursor of a resync. It keeps everything that it received.
/// </summary>
internal sealed class Observer(string name, string userId, string transport, IReadOnlyList<Uri> apis, int seed)
{
    public const string Socket = "socket";
    public const string Events = "events";
    public const string Poll = "poll";

    private static readonly HttpClient Http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5) }) { Timeout = Timeout.InfiniteTimeSpan };

    // Longer than heartbeat intervals and polls: a connection that is silent for so long is dead.
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(45);

    private readonly Random _random = new(seed);
    private readonly Lock _lock = new();
    private readonly List<Seen> _seen = [];
    private readonly List<(string Before, string After)> _resyncs = [];
    private readonly List<string> _faults = [];
    private string _cursor = "0";
    private int _stretch;
    private int _connections;

    public string Name => name;

    public string UserId => userId;

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Its cursor, what it received, each resync (from and to), and violations of the protocol.</summary>
    public (string Cursor, IReadOnlyList<Seen> Seen, IReadOnlyList<(string Before, string After)> Resyncs, IReadOnlyList<string> Faults) Read()
    {
        lock (_lock)
        {
            return (_cursor, [.. _seen], [.. _resyncs], [.. _faults]);
        }
    }

    /// <summary>Follows until it is stopped.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        for (var api = seed; !stop.IsCancellationRequested; api++)
        {
            try
            {
                using var silence = CancellationTokenSource.CreateLinkedTokenSource(stop);
                silence.CancelAfter(Silence);
                Interlocked.Increment(ref _connections);
                await FollowAsync(apis[api % apis.Count], silence);
            }
            catch (Exception e) when (e is WebSocketException or HttpRequestException or IOException or OperationCanceledException or System.Text.Json.JsonException)
            {
                // Cut, refused or silent: it reconnects.
            }

            await Task.Delay(_random.Next(50, 300), CancellationToken.None);
        }
    }

    private Task FollowAsync(Uri api, CancellationTokenSource silence) => transport switch
    {
        Socket => FollowSocketAsync(api, silence),
        Events => FollowEventsAsync(api, silence),
        _ => PollAsync(api, silence),
    };

    private async Task FollowSocketAsync(Uri api, CancellationTokenSource silence)
    {
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", $"Bearer {TestTokens.Create(userId)}");
        await socket.ConnectAsync(new UriBuilder(api) { Scheme = "ws", Path = "/ws/status", Query = $"since={_cursor}" }.Uri, silence.Token);
        var buffer = new byte[256 * 1024];
        while (true)
        {
            var length = 0;
            ValueWebSocketReceiveResult result;
            do
            {
                result = await socket.ReceiveAsync(buffer.AsMemory(length), silence.Token);
                length += result.Count;
            }
            while (!result.EndOfMessage);

            if (result.MessageType == WebSocketMessageType.Close)
            {
                return;
            }

            silence.CancelAfter(Silence);
            var message = JsonNode.Parse(buffer.AsSpan(0, length))!;
            switch ((string?)message["type"])
            {
                case "status_update":
                    Take(message["payload"]!);
                    break;
                case "status_batch":
                    foreach (var payload in message["payloads"]!.AsArray())
                    {
                        Take(payload!);
                    }

                    break;
                case "resync":
                    Resync((string)message["cursor"]!);
                    break;
            }
        }
    }

    private async Task FollowEventsAsync(Uri api, CancellationTokenSource silence)
    {
        using var request = Request(api, "/api/v1/status/stream");
        if (_cursor != "0")
        {
            request.Headers.Add("Last-Event-ID", _cursor);
        }
        else
        {
            request.RequestUri = new Uri(api, "/api/v1/status/stream?since=0");
        }

        using var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(silence.Token), Encoding.UTF8);
        string? type = null;
        string? data = null;
        while (await reader.ReadLineAsync(silence.Token) is { } line)
        {
            silence.CancelAfter(Silence);
            if (line.Length == 0)
            {
                switch (type)
                {
                    case "status_update":
                        Take(JsonNode.Parse(data!)!);
                        break;
                    case "resync":
                        Resync((string)JsonNode.Parse(data!)!["cursor"]!);
                        break;
                }

                (type, data) = (null, null);
            }
            else if (line.StartsWith("event:", StringComparison.Ordinal))
            {
                type = line[6..].Trim();
            }
            else if (line.StartsWith("data:", StringComparison.Ordinal))
            {
                data = line[5..].Trim();
            }
        }
    }

    private async Task PollAsync(Uri api, CancellationTokenSource silence)
    {
        while (true)
        {
            using var request = Request(api, $"/api/v1/status/poll?since={_cursor}&timeout=10");
            using var response = await Http.SendAsync(request, silence.Token);
            response.EnsureSuccessStatusCode();
            silence.CancelAfter(Silence);
            var page = JsonNode.Parse(await response.Content.ReadAsStringAsync(silence.Token))!["data"]!;
            if ((bool?)page["resync"] == true)
            {
                Resync((string)page["cursor"]!);
                continue;
            }

            foreach (var item in page["items"]!.AsArray())
            {
                Take(item!);
            }
        }
    }

    private HttpRequestMessage Request(Uri api, string path) => new(HttpMethod.Get, new Uri(api, path))
    {
        Headers = { { "Authorization", $"Bearer {TestTokens.Create(userId)}" } },
    };

    private void Take(JsonNode payload)
    {
        lock (_lock)
        {
            var seen = new Seen(
                _stretch, (long?)payload["seq"] ?? 0, (string?)payload["cursor"] ?? "", (string)payload["generationId"]!, (string)payload["status"]!);
            var last = SeqOf(_cursor);
            if (seen.Seq <= last)
            {
                return;
            }

            if (seen.Seq != last + 1)
            {
                _faults.Add(string.Create(CultureInfo.InvariantCulture, $"{seen} came where {last + 1} was expected"));
            }

            _seen.Add(seen);
            _cursor = seen.Cursor;
        }
    }

    private void Resync(string cursor)
    {
        lock (_lock)
        {
            _resyncs.Add((_cursor, cursor));
            _cursor = cursor;
            _stretch++;
        }
    }

    public static long SeqOf(string cursor) => long.Parse(cursor.Split('-')[0], CultureInfo.InvariantCulture);
}
