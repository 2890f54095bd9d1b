using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using StatusUpdates.Egress;

namespace StatusUpdates.Tests.Egress;

public sealed class EgressHttpTests
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
        await using var receiver = new RawReceiver();
        using var client = ClientOf(Public, new ScriptedResolver([.. addresses.Select(IPAddress.Parse)]));

        var refused = await Assert.ThrowsAsync<HttpRequestException>(
            () => client.PostAsync($"http://hooks.example:{receiver.Port}/", new StringContent("{}"), TestTime.Token));

        Assert.IsType<ForbiddenAddressException>(refused.InnerException);
        Assert.Equal(0, receiver.Accepted);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("0x7f.1")]
    [InlineData("2130706433")]
    [InlineData("127.0.0.1.")]
    [InlineData("[::ffff:127.0.0.1]")]
    public async Task A_host_that_is_a_forbidden_address_is_neither_connected_to_nor_resolved(string host)
    {
        await using var receiver = new RawReceiver();
        var resolver = new ScriptedResolver([IPAddress.Loopback]);
        using var client = ClientOf(Public, resolver);

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync($"http://{host}:{receiver.Port}/", TestTime.Token));

        Assert.IsType<ForbiddenAddressException>(refused.InnerException);
        Assert.Equal(0, receiver.Accepted);
        Assert.Empty(resolver.Asked);
    }

    [Fact]
    public async Task A_name_is_resolved_once_and_the_connection_goes_to_the_address_that_was_checked()
    {
        // One receiver at the first address of the name, which is allowed, and one at the address that the name has from then on.
        await using var first = new RawReceiver(IPAddress.Parse("127.0.0.2"));
        await using var second = new RawReceiver(IPAddress.Parse("127.0.0.3"), first.Port);
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
            Assert.IsType<ForbiddenAddressException>(refused.InnerException);
        }

        Assert.Equal(["rebinding.example", "rebinding.example"], [.. resolver.Asked]);
        Assert.Equal(1, first.Accepted);
        Assert.Equal(0, second.Accepted);
    }

    [Fact]
    public async Task A_port_that_is_not_allowed_is_not_connected_to()
    {
        await using var receiver = new RawReceiver();
        Assert.True(PortRanges.TryParse(["443"], out var ports));
        using var client = ClientOf(new AddressPolicy([IPNetwork.Parse("127.0.0.0/8")], allowHttp: true, ports), new SystemHostResolver());

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync($"http://127.0.0.1:{receiver.Port}/", TestTime.Token));

        Assert.IsType<ForbiddenPortException>(refused.InnerException);
        Assert.Equal(0, receiver.Accepted);
    }

    [Fact]
    public void Nothing_stands_between_the_check_of_an_address_and_the_connection_to_it()
    {
        using var handler = EgressHttp.CreateHandler(Public, new HostLookups(new SystemHostResolver(), TimeProvider.System));
        Assert.False(handler.UseProxy);
        Assert.False(handler.AllowAutoRedirect);
        Assert.False(handler.UseCookies);
        Assert.Null(handler.ActivityHeadersPropagator);
        Assert.NotNull(handler.ConnectCallback);
    }

    [Fact]
    public async Task A_name_without_addresses_and_an_unknown_name_are_ordinary_failures()
    {
        using var empty = ClientOf(Public, new ScriptedResolver(Array.Empty<IPAddress>()));
        var none = await Assert.ThrowsAsync<HttpRequestException>(() => empty.GetAsync("http://nobody.example/", TestTime.Token));
        Assert.Equal(SocketError.HostNotFound, Assert.IsType<SocketException>(none.InnerException).SocketErrorCode);

        using var unknown = ClientOf(Public, new SystemHostResolver());
        var failed = await Assert.ThrowsAsync<HttpRequestException>(() => unknown.GetAsync("http://nobody.invalid/", TestTime.Token));
        Assert.IsType<SocketException>(failed.InnerException);
    }

    [Fact]
    public async Task A_redirect_is_an_answer_and_is_not_followed()
    {
        await using var inner = new RawReceiver();
        await using var receiver = new RawReceiver(
            answer: $"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{inner.Port}/\r\nContent-Length: 0\r\n\r\n");
        using var client = ClientOf(Loopback, new SystemHostResolver());

        using var answer = await client.PostAsync($"http://127.0.0.1:{receiver.Port}/", new StringContent("{}"), TestTime.Token);

        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.Equal(0, inner.Accepted);
    }

    [Fact]
    public async Task An_external_receiver_gets_no_trace_and_no_cookie_back()
    {
        await using var receiver = new RawReceiver(answer: "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n");
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
    public async Task No_metric_series_of_the_process_names_an_external_receivers_host()
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
        await using var receiver = new RawReceiver();

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
        await using var receiver = new RawReceiver(answer: "HTTP/1.1 200 OK\r\nX-Long: " + new string('a', 64 * 1024) + "\r\nContent-Length: 0\r\n\r\n");
        using var client = ClientOf(Loopback, new SystemHostResolver());

        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync($"http://127.0.0.1:{receiver.Port}/", TestTime.Token));
    }

    private static HttpClient ClientOf(AddressPolicy policy, IHostResolver resolver) => new(EgressHttp.CreateHandler(policy, new HostLookups(resolver, TimeProvider.System)));

    // Returns its answers one after the other, and then the last one forever.
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
