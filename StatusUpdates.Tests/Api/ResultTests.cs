using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Api;

public sealed class ResultTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private static readonly byte[] Large = RandomNumberGenerator.GetBytes(200_000);

    private static readonly byte[] Png = [0x89, 0x50, 0x4E, 0x47, 0, 1, 2, 3];

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_result_is_served_for_display_and_never_executed()
    {
        var api = await shared.ApiAsync();
        var id = await api.Database.Results.SaveAsync("gen-1", "image/png", Png, Token);
        using var response = await api.Anonymous.GetAsync($"/results/{id}", Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(Png, await response.Content.ReadAsByteArrayAsync(Token));
        Assert.Equal("image/png", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.StartsWith(
            "sandbox; default-src 'none'", response.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        Assert.Equal("public, max-age=86400, immutable", response.Headers.GetValues("Cache-Control").Single());
    }

    [Fact]
    public async Task A_result_that_a_client_already_has_is_not_sent_again()
    {
        var api = await shared.ApiAsync();
        var id = await api.Database.Results.SaveAsync("gen-1", "image/png", Png, Token);
        using var first = await api.Anonymous.GetAsync($"/results/{id}", Token);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/results/{id}");
        request.Headers.IfNoneMatch.Add(first.Headers.ETag!);
        using var second = await api.Anonymous.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
    }

    [Fact]
    public async Task A_HEAD_request_returns_type_and_length()
    {
        var api = await shared.ApiAsync();
        var id = await api.Database.Results.SaveAsync("gen-1", "image/png", Png, Token);
        using var response = await api.Anonymous.SendAsync(new(HttpMethod.Head, $"/results/{id}"), Token);
        Assert.Equal((HttpStatusCode.OK, (long?)Png.Length), (response.StatusCode, response.Content.Headers.ContentLength));
    }

    [Theory]
    [InlineData("00000000000000000000000000000000")]
    [InlineData("nothing")]
    [InlineData("..%2F..%2Fetc%2Fpasswd")]
    public async Task An_unknown_result_id_is_not_found(string id)
    {
        var api = await shared.ApiAsync();
        using var response = await api.Anonymous.GetAsync($"/results/{id}", Token);
        await response.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        Assert.True(response.Headers.CacheControl?.NoStore);
    }

    [Theory]
    [InlineData("bytes=0-0", 0, 1)]
    [InlineData("bytes=70000-140000", 70_000, 70_001)]
    [InlineData("bytes=199999-", 199_999, 1)]
    [InlineData("bytes=-100000", 100_000, 100_000)]
    public async Task A_requested_range_is_sent(string range, int start, int length)
    {
        var api = await shared.ApiAsync();
        var id = await api.Database.Results.SaveAsync("gen-1", "image/png", Large, Token);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/results/{id}");
        request.Headers.Add("Range", range);
        using var response = await api.Anonymous.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Equal(Large.AsSpan(start, length).ToArray(), await response.Content.ReadAsByteArrayAsync(Token));
        Assert.Equal($"bytes {start}-{start + length - 1}/200000", response.Content.Headers.ContentRange?.ToString());
    }

    [Fact]
    public async Task A_range_beyond_the_end_is_refused_with_the_length()
    {
        var api = await shared.ApiAsync();
        var id = await api.Database.Results.SaveAsync("gen-1", "image/png", Large, Token);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/results/{id}");
        request.Headers.Add("Range", "bytes=200000-");
        using var response = await api.Anonymous.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, response.StatusCode);
        Assert.Equal("bytes */200000", response.Content.Headers.ContentRange?.ToString());
    }

    [Fact]
    public async Task A_result_whose_content_is_missing_is_unavailable_and_the_operator_reads_which()
    {
        var logs = new CollectedLogs();
        await using var api = await TestApi.StartAsync(servers, configure: builder => builder.Logging.AddProvider(logs));
        var id = await api.Database.Results.SaveAsync("gen-1", "video/mp4", new byte[300_000], Token);
        File.Delete(Path.Combine(api.Database.ResultsFolder, id[..2], id));

        using var response = await api.Anonymous.GetAsync($"/results/{id}", Token);

        await response.ProblemAsync(HttpStatusCode.ServiceUnavailable, "result_unavailable");
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.True(response.Headers.CacheControl?.NoStore);
        Assert.Null(response.Headers.ETag);
        Assert.Contains(logs.Lines, line => line.Contains(id, StringComparison.Ordinal) && line.Contains("Results:Folder", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Content_is_read_in_pieces_and_not_at_all_when_it_is_not_sent()
    {
        var spans = new CollectedSpans();
        var seen = new HashSet<Activity>();
        await using var api = await TestApi.StartAsync(servers, configure: spans.AddTo);
        var id = await api.Database.Results.SaveAsync("gen-1", "image/png", Large, Token);

        Assert.Equal(["describe result", .. Enumerable.Repeat("read result piece", 4)], await StatementsAsync(HttpMethod.Get));
        Assert.Equal(["describe result"], await StatementsAsync(HttpMethod.Head));
        Assert.Equal(["describe result"], await StatementsAsync(HttpMethod.Get, ("If-None-Match", $"\"{id}\"")));
        Assert.Equal(["describe result", "read result piece"], await StatementsAsync(HttpMethod.Get, ("Range", "bytes=100000-100009")));
        Assert.Equal("e", await api.Database.ScalarAsync<string>(
            "SELECT attstorage::text FROM pg_attribute WHERE attrelid = 'generation_results'::regclass AND attname = 'bytes'", Token));

        async Task<IEnumerable<string>> StatementsAsync(HttpMethod method, params (string Name, string Value)[] headers)
        {
            using var request = new HttpRequestMessage(method, $"/results/{id}");
            foreach (var (name, value) in headers)
            {
                request.Headers.Add(name, value);
            }

            using var response = await api.Anonymous.SendAsync(request, Token);
            await response.Content.ReadAsByteArrayAsync(Token);

            // The request's own span ends last.
            Activity? served = null;
            await Eventually.TrueAsync(() => (served = spans.All.FirstOrDefault(IsNew)) is not null);
            seen.Add(served!);
            return spans.Of(served!.TraceId).Where(span => span.ParentSpanId == served.SpanId && span.Source.Name == "Npgsql").Select(span => span.DisplayName);
        }

        bool IsNew(Activity span) => span.Kind == ActivityKind.Server && (string?)span.GetTagItem("url.path") == $"/results/{id}" && !seen.Contains(span);
    }

    [Fact]
    public async Task Stalled_readers_hold_no_database_connection_and_are_limited_in_number()
    {
        const int Readers = 6;
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        var settings = new Dictionary<string, string?>(Sockets.SmallBufferSettings)
        {
            ["ConnectionStrings:statusdb"] = new NpgsqlConnectionStringBuilder(database.ConnectionString) { MaxPoolSize = 3 }.ConnectionString,
            ["RateLimits:ResultsPerAddress"] = "6",
        };
        await using var api = await TestApi.StartAsync(database, redis, settings);
        var content = RandomNumberGenerator.GetBytes(4 * 1024 * 1024);
        var id = await database.Results.SaveAsync("gen-1", "image/png", content, Token);
        var stalled = new List<Socket>();
        try
        {
            for (var i = 0; i < Readers; i++)
            {
                stalled.Add(await ReadHeadersAsync(api, id));
            }

            // All of them are in the middle of the download; there are twice as many readers as connections.
            using var list = await api.As("alice").GetAsync("/api/v1/generations", Token);
            await list.DataAsync();
            using var more = await api.Anonymous.GetAsync($"/results/{id}", HttpCompletionOption.ResponseHeadersRead, Token);
            var problem = await more.ProblemAsync(HttpStatusCode.TooManyRequests, "too_many_connections");
            Assert.Contains("6 results", (string?)problem["detail"], StringComparison.Ordinal);
            Assert.NotNull(more.Headers.RetryAfter);
            using var head = await api.Anonymous.SendAsync(new(HttpMethod.Head, $"/results/{id}"), Token);
            Assert.Equal(HttpStatusCode.OK, head.StatusCode);

            // A reader that continues gets all of it, and one that leaves makes room.
            var rest = new byte[content.Length];
            await new NetworkStream(stalled[0]).ReadExactlyAsync(rest, Token);
            Assert.Equal(content, rest);
            stalled[1].Close(0);
            await Eventually.TrueAsync(async () =>
            {
                using var again = await api.Anonymous.GetAsync($"/results/{id}", HttpCompletionOption.ResponseHeadersRead, Token);
                return again.StatusCode == HttpStatusCode.OK;
            });
        }
        finally
        {
            stalled.ForEach(socket => socket.Dispose());
        }
    }

    // Reads the headers and nothing after them.
    private static async Task<Socket> ReadHeadersAsync(TestApi api, string id)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(api.Address.Host, api.Address.Port, Token);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /results/{id} HTTP/1.1\r\nHost: {api.Address.Authority}\r\n\r\n"), Token);
        var one = new byte[1];
        var end = "";
        while (!end.EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            Assert.Equal(1, await socket.ReceiveAsync(one, Token));
            end += (char)one[0];
        }

        Assert.StartsWith("HTTP/1.1 200", end, StringComparison.Ordinal);
        return socket;
    }
}
