using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using StatusUpdates.ServiceDefaults.Health;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Bot;
using StatusUpdates.Tests.Worker;

namespace StatusUpdates.Tests.Hosting;

/// <summary>Health endpoints of the services that have no other HTTP endpoints.</summary>
public sealed class ProbeTests(TestServers servers)
{
    private static readonly (string Key, string Value) FreePort = ("URLS", "http://127.0.0.1:0");

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_worker_with_a_port_answers_probes_as_the_API_does()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        await using var worker = await TestWorker.StartAsync(database, redis, provider: null, FreePort);
        using var client = ClientOf(worker.ProbeAddresses);

        var (status, body) = await GetAsync(client, "/health");
        Assert.Equal((HttpStatusCode.OK, "healthy"), (status, (string?)body!["status"]));
        Assert.Equal(
            ["PostgreSQL", "Redis messages", "StackExchange.Redis", "file descriptors", "self"],
            body["checks"]!.AsObject().Select(check => check.Key).Order(StringComparer.Ordinal));
        Assert.Equal((HttpStatusCode.OK, """{"status":"healthy"}"""), await TextAsync(client, "/alive", withoutChecks: true));
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync(client, "/")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync(client, "/health/more")).Status);

        using var head = await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/alive"), Token);
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.True(head.Headers.CacheControl!.NoStore);
    }

    [Fact]
    public async Task The_bot_answers_probes_too()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await using var bot = await scene.StartBotAsync(FreePort);
        using var client = ClientOf(bot.ProbeAddresses);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, "/health")).Status);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, "/alive")).Status);
    }

    [Fact]
    public async Task Without_Redis_a_worker_is_degraded_and_without_Postgres_it_is_unhealthy_but_alive()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var link = TcpProxy.ToDatabase(database.ConnectionString, out var proxied);
        await using var worker = await TestWorker.StartAsync(
            database, redis: null, provider: null, FreePort, ("ConnectionStrings:statusdb", proxied));
        using var client = ClientOf(worker.ProbeAddresses);
        var (status, body) = await GetAsync(client, "/health");
        Assert.Equal((HttpStatusCode.OK, "degraded"), (status, (string?)body!["status"]));

        await link.StopAsync();

        (status, body) = await GetAsync(client, "/health");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "unhealthy"), (status, (string?)body!["status"]));
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, "/alive")).Status);
    }

    [Fact]
    public async Task A_worker_that_finishes_its_jobs_before_it_stops_is_alive_until_then()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var mayFinish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var provider = new ScriptedProvider(async (_, _, token) =>
        {
            await mayFinish.Task.WaitAsync(token);
            return ScriptedProvider.Result;
        });
        await using var worker = await TestWorker.StartAsync(
            scene.Database, scene.Redis, provider, FreePort, ("Worker:GracePeriod", "00:01:00"));
        using var client = ClientOf(worker.ProbeAddresses);
        await scene.SubmitAsync();
        await provider.NextStartAsync(Token);

        var stopping = worker.StopAsync();
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(HttpStatusCode.OK, (await GetAsync(client, "/alive")).Status);
        }

        mayFinish.SetResult();
        await stopping;
        await Assert.ThrowsAsync<HttpRequestException>(() => GetAsync(client, "/alive"));
    }

    [Fact]
    public async Task Workers_without_a_port_do_not_listen_so_they_can_run_side_by_side()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var one = await TestWorker.StartAsync(database, redis: null);
        await using var other = await TestWorker.StartAsync(database, redis: null);
        Assert.Empty(one.ProbeAddresses);
        Assert.Empty(other.ProbeAddresses);
    }

    [Theory]
    [InlineData("HTTP_PORTS", "8080", "http://*:8080")]
    [InlineData("HTTP_PORTS", "8080;8081", "http://*:8080 http://*:8081")]
    [InlineData("ASPNETCORE_HTTP_PORTS", "8080", "http://*:8080")]
    [InlineData("ASPNETCORE_URLS", "http://localhost:5099;", "http://localhost:5099")]
    [InlineData("URLS", "http://+:1;http://[::1]:2", "http://+:1 http://[::1]:2")]
    [InlineData("HTTP_PORTS", " ", "")]
    public void Listening_addresses_are_configured_as_in_ASP_NET_Core(string key, string value, string expected) =>
        Assert.Equal(expected, string.Join(' ', AddressesOf((key, value))));

    [Fact]
    public void Addresses_take_precedence_over_ports_and_the_plain_name_over_the_prefixed_one() => Assert.Equal(
        ["http://a:1"],
        AddressesOf(("HTTP_PORTS", "1"), ("ASPNETCORE_HTTP_PORTS", "2"), ("ASPNETCORE_URLS", "http://b:1"), ("URLS", "http://a:1")));

    [Theory]
    [InlineData("HTTP_PORTS", "65536")]
    [InlineData("HTTP_PORTS", "-1")]
    [InlineData("ASPNETCORE_HTTP_PORTS", "http")]
    [InlineData("ASPNETCORE_URLS", "https://*:1")]
    [InlineData("ASPNETCORE_URLS", "http://*:1/base")]
    [InlineData("URLS", "localhost")]
    public void An_invalid_address_is_an_error_that_names_the_key(string key, string value) =>
        Assert.StartsWith(key + " must be", Assert.Throws<InvalidOperationException>(() => AddressesOf((key, value))).Message, StringComparison.Ordinal);

    private static List<string> AddressesOf(params (string Key, string Value)[] settings) => HealthListener.AddressesOf(
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(s => KeyValuePair.Create<string, string?>(s.Key, s.Value))).Build());

    private static HttpClient ClientOf(IReadOnlyCollection<string> addresses) => HttpClients.Create(new Uri(Assert.Single(addresses)));

    private static async Task<(HttpStatusCode Status, JsonObject? Body)> GetAsync(HttpClient client, string path)
    {
        using var response = await client.GetAsync(path, Token);
        var text = await response.Content.ReadAsStringAsync(Token);
        return (response.StatusCode, text.Length > 0 ? JsonNode.Parse(text)!.AsObject() : null);
    }

    private static async Task<(HttpStatusCode Status, string Text)> TextAsync(HttpClient client, string path, bool withoutChecks)
    {
        var (status, body) = await GetAsync(client, path);
        if (withoutChecks)
        {
            body!.Remove("checks");
        }

        return (status, body!.ToJsonString());
    }
}
