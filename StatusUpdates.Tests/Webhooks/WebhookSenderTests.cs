using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StatusUpdates.Egress;
using StatusUpdates.Tests.Egress;
using StatusUpdates.Webhooks;
using StatusUpdates.Webhooks.Deliveries;
using StatusUpdates.Webhooks.Keys;

namespace StatusUpdates.Tests.Webhooks;

public sealed class WebhookSenderTests
{
    public static TheoryData<Exception, string> Faults => new()
    {
        { new TaskCanceledException("connect", new TimeoutException()), "No connection could be made in time." },
        { new HttpRequestException(HttpRequestError.SecureConnectionError), "No secure connection could be made (TLS)." },
        { new HttpRequestException(HttpRequestError.NameResolutionError), "Its host has no address." },
        { new HttpRequestException("x", new ForbiddenPortException("443")), "Its port is not allowed." },
        { new HttpRequestException("x", new SocketException((int)SocketError.TryAgain)), "Its host's name servers do not answer." },
        { new HttpRequestException("x", new ForbiddenAddressException()), "Its host leads to an address that is not allowed." },
        { new IOException("10.0.0.1 said no"), "The connection ended before the answer came." },
        { new NotSupportedException("10.0.0.1 said no"), "The attempt failed." },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Every_exception_gives_a_failed_attempt_with_an_error_text_of_our_own(Exception fault, string error)
    {
        var sender = Sender((_, _) => throw fault);

        var result = await sender.SendAsync(new Uri("https://example.org/"), "user-1", "msg_1", new byte[2], SigningKeys.Create(), TestTime.Token);

        Assert.Equal((null, error, false), (result.StatusCode, result.Error, result.IsSuccess));
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nOK", false)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n", false)]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nOK", false)]
    [InlineData("HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\nOK", true)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\nno chunk", true)]
    public async Task The_status_line_and_headers_are_the_answer_whatever_happens_to_the_body(string answer, bool closes)
    {
        await using var receiver = new RawReceiver(answer: answer, closes: closes);
        using var http = Http();

        var result = await Sender(http).SendAsync(
            new Uri($"http://127.0.0.1:{receiver.Port}/"), "user-1", "msg_1", new byte[2], SigningKeys.Create(), TestTime.Token);

        Assert.Equal((true, null, "OK"), (result.IsSuccess, result.Error, result.Response));
        Assert.InRange(result.StatusCode!.Value, 200, 202);
    }

    [Fact]
    public async Task A_failures_status_and_Retry_After_are_used_although_its_body_never_ends()
    {
        await using var receiver = new RawReceiver(answer: "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 1000\r\n\r\nlater");
        using var http = Http();

        var result = await Sender(http).SendAsync(
            new Uri($"http://127.0.0.1:{receiver.Port}/"), "user-1", "msg_1", new byte[2], SigningKeys.Create(), TestTime.Token);

        Assert.Equal((503, "It answered 503.", "later", 120.0), (result.StatusCode, result.Error, result.Response, result.RetryAfter?.TotalSeconds));
    }

    [Theory]
    [InlineData("120", 120)]
    [InlineData("999999999", 24 * 60 * 60)]
    [InlineData("0", null)]
    [InlineData("soon", null)]
    public async Task Retry_After_is_used_up_to_a_day(string value, int? seconds)
    {
        var sender = Sender((_, _) =>
        {
            var response = new HttpResponseMessage(HttpStatusCode.ServiceUnavailable);
            response.Headers.TryAddWithoutValidation("Retry-After", value);
            return Task.FromResult(response);
        });

        var result = await sender.SendAsync(new Uri("https://example.org/"), "user-1", "msg_1", new byte[2], SigningKeys.Create(), TestTime.Token);

        Assert.Equal(seconds, (int?)result.RetryAfter?.TotalSeconds);
    }

    [Fact]
    public async Task A_lost_cursor_ends_the_attempt_but_not_as_a_failure()
    {
        using var lost = new CancellationTokenSource();
        var sender = Sender(async (_, token) =>
        {
            await lost.CancelAsync();
            await Task.Delay(Timeout.Infinite, token);
            return new HttpResponseMessage();
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => sender.SendAsync(new Uri("https://example.org/"), "user-1", "msg_1", new byte[2], SigningKeys.Create(), lost.Token));
    }

    [Theory]
    [InlineData(1, 0.0, null, 4.0)]
    [InlineData(1, 0.5, null, 5.0)]
    [InlineData(2, 0.999999, null, 360.0)]
    [InlineData(1, 0.5, 60, 60.0)]
    [InlineData(2, 0.5, 60, 300.0)]
    [InlineData(9, 0.5, null, 86400.0)]
    [InlineData(10, 0.5, null, null)]
    public void Delays_grow_vary_by_a_fifth_and_end(int failures, double jitter, int? retryAfter, double? seconds)
    {
        var after = new WebhookDeliveryOptions().DelayAfter(failures, jitter, retryAfter is { } s ? TimeSpan.FromSeconds(s) : null);

        Assert.Equal(seconds is null, after is null);
        Assert.Equal(seconds ?? 0, after?.TotalSeconds ?? 0, 0.1);
    }

    private static HttpMessageInvoker Http() =>
        new(EgressHttp.CreateHandler(new AddressPolicy([IPNetwork.Parse("127.0.0.0/8")], allowHttp: true), new HostLookups(new SystemHostResolver(), TimeProvider.System)));

    private static WebhookSender Sender(Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> answer) =>
        Sender(new HttpMessageInvoker(new StubHandler(answer)));

    private static WebhookSender Sender(HttpMessageInvoker http) => new(
        http,
        Options.Create(new WebhookOptions()),
        TimeProvider.System,
        NullLogger<WebhookSender>.Instance);

    private sealed class StubHandler(Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            answer(request, cancellationToken);
    }
}
