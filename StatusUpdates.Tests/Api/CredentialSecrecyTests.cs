using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using StatusUpdates.Api.Security;
using StatusUpdates.Api.Security.QueryCredentials;

namespace StatusUpdates.Tests.Api;

public sealed class CredentialSecrecyTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private const string Ticket = "S3cretT1cket";

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task No_credential_from_a_query_appears_in_any_log_span_or_metric()
    {
        var logs = new CollectedLogs();
        var spans = new ConcurrentQueue<Activity>();
        var metrics = new List<Metric>();
        var good = TestTokens.Create("user-1");
        var secrets = new List<string> { good, good.Split('.')[2], Ticket };
        await using (var api = await StartAsync(builder =>
        {
            builder.Logging.AddProvider(logs).AddFilter<CollectedLogs>(null, LogLevel.Trace).SetMinimumLevel(LogLevel.Trace);
            builder.Services.AddOpenTelemetry()
                .WithTracing(tracing => tracing.AddProcessor(new Collector(spans)).SetSampler(new AlwaysOnSampler()))
                .WithMetrics(m => m.AddInMemoryExporter(metrics));
        }))
        {
            var ticket = await TicketAsync(api, secrets);
            string[] paths =
            [
                $"/api/v1/generations?ticket={ticket}",
                $"/ws/test?token={good}&ticket={ticket}",
                $"/ws/test?a=1&%74icket={ticket}",
                $"/ws/test?ticket={ticket}",
                $"/ws/test?ticket={ticket}&TICKET={ticket}",
                $"/ws/test/fails?ticket={await TicketAsync(api, secrets)}",
                $"/ws/test?token={good}",
                $"/ws/test?a=1&TOKEN={good}&ticket={Ticket}",
                $"/ws/test?%74oken={good}",
                $"/ws/test?token={good}&token={good}",
                $"/ws/test/fails?token={good}",
                $"/ws/test/fails?token={good}&ticket={Ticket}",
                $"/ws/nowhere?token={good}",
                $"/?token={good}",
                $"/health?token={good}",
                $"/openapi/v1.json?ticket={Ticket}",
                $"/api/v1/generations?token={good}",
                .. TestTokens.Bad.Values.Select(bad => $"/ws/test?token={Uri.EscapeDataString(bad)}"),
            ];
            secrets.AddRange(TestTokens.Bad.Values.Where(bad => bad.Length > 40));
            foreach (var path in paths)
            {
                using var response = await api.Anonymous.GetAsync(path, Token);
                var body = await response.Content.ReadAsStringAsync(Token);
                Assert.All(secrets, secret => Assert.DoesNotContain(secret, body, StringComparison.Ordinal));
            }

            foreach (var bad in TestTokens.Bad.Values)
            {
                using var response = await api.CreateClient(bad).GetAsync("/api/v1/generations", Token);
                Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            }

            await SendRawAsync(api, $"GET /ws/test?token={good}\x01 HTTP/1.1\r\nHost: x\r\n\r\n");
            await SendRawAsync(api, $"GET http://x/ws/test?ticket={Ticket}\u00ff HTTP/1.1\r\nHost: x\r\n\r\n");
            await SendRawAsync(api, $"GET /ws/test?ticket={Ticket} HTTP/1.1 x\r\nHost: x\r\n\r\n");
        }

        // The collectors work: they contain what is not secret.
        Assert.Contains(logs.Lines, line => line.Contains("Request starting", StringComparison.Ordinal) && line.Contains("/ws/test", StringComparison.Ordinal));
        Assert.Contains(spans, span => span.TagObjects.Any(tag => Equals(tag.Value, "/ws/test")));

        AssertAbsent(secrets, logs.Lines);
        AssertAbsent(secrets, spans.SelectMany(Describe));
        AssertAbsent(secrets, metrics.SelectMany(Describe));
    }

    [Fact]
    public async Task A_token_in_the_query_authenticates_its_own_request_and_no_other_on_the_connection()
    {
        var api = await shared.ApiAsync(() => StartAsync());
        using var handler = new SocketsHttpHandler { MaxConnectionsPerServer = 1 };
        using var client = new HttpClient(handler) { BaseAddress = api.Address };
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("user-1 ?a=1&b=%20x /ws/test?a=1&b=%20x", await client.GetStringAsync(
                $"/ws/test?a=1&token={TestTokens.Create("user-1")}&b=%20x", Token));
            using var without = await client.GetAsync("/ws/test?a=1", Token);
            Assert.Equal(HttpStatusCode.Unauthorized, without.StatusCode);
        }
    }

    [Theory]
    [InlineData("token", HttpStatusCode.OK)]
    [InlineData("Token", HttpStatusCode.OK)]
    [InlineData("%74%6F%6B%65%6E", HttpStatusCode.OK)]
    [InlineData("tokens", HttpStatusCode.Unauthorized)]
    [InlineData("ticket", HttpStatusCode.Unauthorized)]
    public async Task A_token_is_accepted_under_every_spelling_of_its_parameter_name_and_under_no_other_name(string name, HttpStatusCode expected)
    {
        var api = await shared.ApiAsync(() => StartAsync());
        using var response = await api.Anonymous.GetAsync($"/ws/test?{name}={TestTokens.Create("u")}", Token);
        Assert.Equal(expected, response.StatusCode);
    }

    [Fact]
    public async Task A_token_given_twice_is_rejected()
    {
        var api = await shared.ApiAsync(() => StartAsync());
        using var response = await api.Anonymous.GetAsync($"/ws/test?token={TestTokens.Create("u")}&token={TestTokens.Create("u")}", Token);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    [Fact]
    public async Task The_header_wins_over_the_query()
    {
        var api = await shared.ApiAsync(() => StartAsync());
        var answer = await api.As("header").GetStringAsync($"/ws/test?token={TestTokens.Create("query")}", Token);
        Assert.StartsWith("header ", answer, StringComparison.Ordinal);
        using var bad = await api.CreateClient("garbage").GetAsync($"/ws/test?token={TestTokens.Create("query")}", Token);
        Assert.Equal(HttpStatusCode.Unauthorized, bad.StatusCode);
    }

    private static async Task<string> TicketAsync(TestApi api, List<string> secrets)
    {
        using var issued = await api.As("user-1").PostAsync("/api/v1/tickets", null, Token);
        secrets.Add((string)(await issued.DataAsync())["ticket"]!);
        return secrets[^1];
    }

    private Task<TestApi> StartAsync(Action<WebApplicationBuilder>? configure = null) => TestApi.StartAsync(
        servers,
        configure: configure,
        map: app =>
        {
            app.MapGet("/ws/test", (HttpContext context) =>
                    $"{context.User.GetUserId()} {context.Request.QueryString} {context.Features.Get<IHttpRequestFeature>()!.RawTarget}")
                .RequireAuthorization().AcceptsQueryCredentials();
            app.MapGet("/ws/test/fails", string (HttpContext context) => throw new InvalidOperationException(context.Request.QueryString.Value))
                .RequireAuthorization().AcceptsQueryCredentials();
        });

    private static async Task SendRawAsync(TestApi api, string request)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(api.Address.Host, api.Address.Port, Token);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), Token);
        using var reader = new StreamReader(stream);
        Assert.StartsWith("HTTP/1.1 4", await reader.ReadLineAsync(Token), StringComparison.Ordinal);
    }

    private static void AssertAbsent(List<string> secrets, IEnumerable<string> texts)
    {
        foreach (var text in texts)
        {
            foreach (var secret in secrets)
            {
                Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
            }
        }
    }

    private static IEnumerable<string> Describe(Activity span) =>
    [
        span.DisplayName,
        .. span.TagObjects.Select(tag => $"{tag.Key}={tag.Value}"),
        .. span.Events.SelectMany(e => e.Tags).Select(tag => $"{tag.Key}={tag.Value}"),
        .. span.Baggage.Select(item => $"{item.Key}={item.Value}"),
    ];

    private static IEnumerable<string> Describe(Metric metric)
    {
        foreach (var point in metric.GetMetricPoints())
        {
            foreach (var tag in point.Tags)
            {
                yield return $"{metric.Name} {tag.Key}={tag.Value}";
            }
        }
    }

    private sealed class Collector(ConcurrentQueue<Activity> spans) : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity data) => spans.Enqueue(data);
    }
}
