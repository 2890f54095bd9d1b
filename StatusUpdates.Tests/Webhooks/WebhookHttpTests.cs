using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using StatusUpdates.Data.Webhooks;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Webhooks;

public sealed class WebhookHttpTests
{
    private static readonly AddressPolicy Public = new([], allowHttp: true);
    private static readonly AddressPolicy Loopback = new([IPNetwork.Parse("127.0.0.0/8")], allowHttp: true);

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("10.0.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("::1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("8.8.8.8", "127.0.0.1")]
    [InlineData("2606:4700::1111", "fd00::1")]
    public async Task A_name_with_any_forbidden_address_is_not_connected_to(params string[] addresses)
    {
        using var receiver = new RawReceiver();
        using var client = ClientOf(Public, new ScriptedResolver([.. addresses.Select(IPAddress.Parse)]));

        var refused = await Assert.ThrowsAsync<HttpRequestException>(
            () => client.PostAsync($"http://hooks.example:{receiver.Port}/", new StringContent("{}"), TestTime.Token));

        Assert.True(ForbiddenAddressException.IsCauseOf(refused));
        Assert.Equal(0, receiver.Connections);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("0x7f.1")]
    [InlineData("2130706433")]
    [InlineData("127.0.0.1.")]
    [InlineData("[::ffff:127.0.0.1]")]
    public async Task A_host_that_is_a_forbidden_address_is_not_connected_to_and_no_resolver_asked(string host)
    {
        using var receiver = new RawReceiver();
        var resolver = new ScriptedResolver([IPAddress.Loopback]);
        using var client = ClientOf(Public, resolver);

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync($"http://{host}:{receiver.Port}/", TestTime.Token));

        Assert.True(ForbiddenAddressException.IsCauseOf(refused));
        Assert.Equal(0, receiver.Connections);
        Assert.Empty(resolver.Asked);
    }

    [Fact]
    public async Task A_name_is_resolved_once_and_the_connection_goes_to_the_address_that_was_judged()
    {
        // One receiver at the address that is answered first and allowed, one at the address that the name has from then on.
        using var first = new RawReceiver(IPAddress.Parse("127.0.0.2"));
        using var second = new RawReceiver(IPAddress.Parse("127.0.0.3"), first.Port);
        var policy = new AddressPolicy([IPNetwork.Parse("127.0.0.2/32")], allowHttp: true);
        var resolver = new ScriptedResolver([IPAddress.Parse("127.0.0.2")], [IPAddress.Parse("127.0.0.3")]);

        using (var client = ClientOf(policy, resolver))
        {
            using var answer = await client.GetAsync($"http://rebinding.example:{first.Port}/", TestTime.Token);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        using (var client = ClientOf(policy, resolver))
        {
            var refused = await Assert.ThrowsAsync<HttpRequestException>(
                () => client.GetAsync($"http://rebinding.example:{first.Port}/", TestTime.Token));
            Assert.True(ForbiddenAddressException.IsCauseOf(refused));
        }

        Assert.Equal(["rebinding.example", "rebinding.example"], [.. resolver.Asked]);
        Assert.Equal(1, first.Connections);
        Assert.Equal(0, second.Connections);
    }

    [Fact]
    public async Task A_port_that_is_not_allowed_is_not_connected_to()
    {
        using var receiver = new RawReceiver();
        Assert.True(PortRanges.TryParse(["443"], out var ports));
        using var client = ClientOf(new AddressPolicy([IPNetwork.Parse("127.0.0.0/8")], allowHttp: true, ports), new SystemHostResolver());

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync($"http://127.0.0.1:{receiver.Port}/", TestTime.Token));

        Assert.True(ForbiddenPortException.IsCauseOf(refused));
        Assert.Equal(0, receiver.Connections);
    }

    [Fact]
    public async Task A_name_without_addresses_and_one_that_nobody_knows_are_ordinary_failures()
    {
        using var empty = ClientOf(Public, new ScriptedResolver(Array.Empty<IPAddress>()));
        var none = await Assert.ThrowsAsync<HttpRequestException>(() => empty.GetAsync("http://nobody.example/", TestTime.Token));
        Assert.False(ForbiddenAddressException.IsCauseOf(none));
        Assert.Equal(SocketError.HostNotFound, Assert.IsType<SocketException>(none.InnerException).SocketErrorCode);

        using var unknown = ClientOf(Public, new SystemHostResolver());
        var failed = await Assert.ThrowsAsync<HttpRequestException>(() => unknown.GetAsync("http://nobody.invalid/", TestTime.Token));
        Assert.False(ForbiddenAddressException.IsCauseOf(failed));
    }

    [Fact]
    public async Task A_redirect_is_an_answer_and_is_not_followed()
    {
        using var inner = new RawReceiver();
        using var receiver = new RawReceiver(
            answer: $"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{inner.Port}/\r\nContent-Length: 0\r\n\r\n");
        using var client = ClientOf(Loopback, new SystemHostResolver());

        using var answer = await client.PostAsync($"http://127.0.0.1:{receiver.Port}/", new StringContent("{}"), TestTime.Token);

        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.Equal(0, inner.Connections);
    }

    [Fact]
    public async Task A_stranger_is_told_no_trace_and_gets_no_cookie_back()
    {
        using var receiver = new RawReceiver(answer: "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n");
        using var client = ClientOf(Loopback, new SystemHostResolver());
        using var span = new Activity("delivery").SetIdFormat(ActivityIdFormat.W3C).Start();

        for (var i = 0; i < 2; i++)
        {
            using var answer = await client.GetAsync($"http://127.0.0.1:{receiver.Port}/", TestTime.Token);
        }

        Assert.Equal(2, receiver.Requests.Count);
        Assert.All(receiver.Requests, request =>
        {
            Assert.DoesNotContain("traceparent", request, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("cookie", request, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("accept-encoding", request, StringComparison.OrdinalIgnoreCase);
        });
    }

    [Fact]
    public async Task No_series_of_the_processs_metrics_is_about_a_strangers_host()
    {
        var measured = new ConcurrentQueue<string>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, it) =>
            {
                if (instrument.Meter.Name is "System.Net.Http")
                {
                    it.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) => Keep(tags));
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => Keep(tags));
        listener.Start();
        using var receiver = new RawReceiver();

        using (var client = ClientOf(Loopback, new ScriptedResolver([IPAddress.Loopback])))
        {
            using var answer = await client.GetAsync($"http://measured.example:{receiver.Port}/", TestTime.Token);
        }

        using (var ordinary = new HttpClient())
        {
            using var answer = await ordinary.GetAsync($"http://127.0.0.1:{receiver.Port}/", TestTime.Token);
        }

        await Eventually.TrueAsync(() => measured.Any(tags => tags.Contains($"server.port={receiver.Port}", StringComparison.Ordinal)));
        Assert.DoesNotContain(measured, tags => tags.Contains("measured.example", StringComparison.Ordinal));

        void Keep(ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            measured.Enqueue(string.Join(' ', tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}")));
    }

    [Fact]
    public async Task Endless_headers_are_a_failure()
    {
        using var receiver = new RawReceiver(answer: "HTTP/1.1 200 OK\r\nX-Long: " + new string('a', 64 * 1024) + "\r\nContent-Length: 0\r\n\r\n");
        using var client = ClientOf(Loopback, new SystemHostResolver());

        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync($"http://127.0.0.1:{receiver.Port}/", TestTime.Token));
    }

    private static HttpClient ClientOf(AddressPolicy policy, IHostResolver resolver) => new(WebhookHttp.CreateHandler(policy, new HostLookUps(resolver, TimeProvider.System)));

    // Gives its answers in turn; the last one for ever.
    private sealed class ScriptedResolver(params IPAddress[][] answers) : IHostResolver
    {
        private int _asked = -1;

        public ConcurrentQueue<string> Asked { get; } = [];

        public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
        {
            Asked.Enqueue(host);
            return Task.FromResult(answers[Math.Min(Interlocked.Increment(ref _asked), answers.Length - 1)]);
        }
    }
}

/// <summary>
/// A receiver that counts connections, keeps requests as they came, and gives every one the same answer, after which it keeps the connection open
/// or closes it.
/// </summary>
internal sealed class RawReceiver : IDisposable
{
    private readonly TcpListener _listener;
    private readonly byte[] _answer;
    private readonly bool _closes;
    private readonly CancellationTokenSource _end = new();
    private int _connections;

    public RawReceiver(IPAddress? address = null, int port = 0, string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", bool closes = false)
    {
        _closes = closes;
        _answer = Encoding.ASCII.GetBytes(answer);
        _listener = new(address ?? IPAddress.Loopback, port);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _ = AcceptAsync();
    }

    public int Port { get; }

    public int Connections => Volatile.Read(ref _connections);

    public ConcurrentQueue<string> Requests { get; } = [];

    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_end.Token);
                Interlocked.Increment(ref _connections);
                _ = AnswerAsync(socket);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The test is over.
        }
    }

    private async Task AnswerAsync(Socket socket)
    {
        try
        {
            using var stream = new NetworkStream(socket, ownsSocket: true);
            var buffer = new byte[64 * 1024];
            int length;
            while ((length = await stream.ReadAsync(buffer, _end.Token)) > 0)
            {
                Requests.Enqueue(Encoding.ASCII.GetString(buffer, 0, length));
                await stream.WriteAsync(_answer, _end.Token);
                if (_closes)
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // The client or the test is gone.
        }
    }
}
