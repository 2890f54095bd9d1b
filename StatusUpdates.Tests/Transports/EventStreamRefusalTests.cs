using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using StatusUpdates.Api.Transports.EventStreams;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

/// <summary>How temporary errors are reported to an EventSource, which gives up for good on any status other than 200.</summary>
public sealed partial class EventStreamRefusalTests(TestServers servers)
{
    private static readonly string[] Paths = [EventClient.All, "/api/v1/generations/gen-1/stream"];

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_stream_opened_on_a_draining_instance_is_told_to_retry()
    {
        await using var api = await TestApi.StartAsync(servers);
        var mine = await api.PublishAsync("alice");
        Sockets.Registry(api).BeginDrain();
        foreach (var path in new[] { EventClient.All, $"/api/v1/generations/{mine.GenerationId}/stream" })
        {
            using (var response = await AskAsync(api.As("alice"), path))
            {
                await UnavailableAsync(response, 503, "draining");
            }

            // A client that does not accept events gets the status.
            using var plain = await api.As("alice").GetAsync(path, Token);
            await plain.ProblemAsync(HttpStatusCode.ServiceUnavailable, "draining");
        }
    }

    [Fact]
    public async Task A_stream_opened_while_the_database_is_away_is_told_to_retry()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var link = TcpProxy.ToDatabase(database.ConnectionString, out var proxied);
        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["ConnectionStrings:statusdb"] = proxied });
        string ticket;
        using (var issued = await api.As("alice").PostAsync("/api/v1/tickets", null, Token))
        {
            ticket = (string)(await issued.DataAsync())["ticket"]!;
        }

        await link.StopAsync();
        foreach (var path in Paths)
        {
            using var response = await AskAsync(api.As("alice"), path);
            await UnavailableAsync(response, 503, "database_unavailable");
        }

        // A ticket cannot be looked up either.
        using var byTicket = await AskAsync(api.Anonymous, $"{EventClient.All}?ticket={ticket}");
        await UnavailableAsync(byTicket, 503, "database_unavailable");
    }

    [Fact]
    public async Task A_stream_over_the_limit_is_told_to_retry_and_is_served_when_it_does()
    {
        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["Gateway:Connections:MaxConnectionsPerUser"] = "1" });
        var mine = await api.PublishAsync("alice");
        await using (await EventClient.ConnectAsync(api, "alice"))
        {
            foreach (var path in new[] { EventClient.All, $"/api/v1/generations/{mine.GenerationId}/stream" })
            {
                using var response = await AskAsync(api.As("alice"), path);
                await UnavailableAsync(response, 429, "too_many_connections");
            }
        }

        await Eventually.TrueAsync(() => Sockets.Registry(api).Count == 0);
        await using var again = await EventClient.ConnectAsync(api, "alice");
    }

    [Theory]
    [InlineData("User")]
    [InlineData("Address")]
    public async Task Requests_over_the_rate_limit_are_told_to_retry_and_invalid_ones_keep_their_status(string limit)
    {
        await using var api = await TestApi.StartAsync(
            servers,
            new Dictionary<string, string?> { [$"RateLimits:{limit}:PermitsPerSecond"] = "1", [$"RateLimits:{limit}:Burst"] = "1" },
            environment: "Production");

        // One more request is permitted each second. Sent all at once, they are too fast for each to be permitted.
        var http = api.As("alice");
        var responses = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => AskAsync(http, EventClient.All + "?since=x")));
        await UnavailableAsync(responses.First(response => response.StatusCode == HttpStatusCode.OK), 429, "rate_limited");
        await responses.First(response => response.StatusCode != HttpStatusCode.OK).ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
    }

    [Fact]
    public async Task Permanent_errors_keep_their_status()
    {
        await using var api = await TestApi.StartAsync(servers);
        using var anonymous = await AskAsync(api.Anonymous, EventClient.All);
        await anonymous.ProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
        using var bad = await AskAsync(api.CreateClient("garbage"), EventClient.All);
        await bad.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");
        using var wrong = await AskAsync(api.As("alice"), EventClient.All + "?since=x");
        await wrong.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        using var missing = await AskAsync(api.As("alice"), Paths[1]);
        await missing.ProblemAsync(HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    public async Task After_an_internal_error_the_client_is_told_to_retry_without_the_text_of_the_error()
    {
        await using var api = await TestApi.StartAsync(
            servers,
            map: app => app.MapGet("/fails", string () => throw new InvalidOperationException("a secret")).WithMetadata(new EventStreamRefusal()));
        using var response = await AskAsync(api.Anonymous, "/fails");
        Assert.DoesNotContain("secret", (await UnavailableAsync(response, 500, "internal_error")).ToJsonString(), StringComparison.Ordinal);
    }

    private static async Task<HttpResponseMessage> AskAsync(HttpClient http, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.Add(new("text/event-stream"));
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
    }

    // The whole stream: when to retry, the reason, the end.
    private static async Task<JsonObject> UnavailableAsync(HttpResponseMessage response, int status, string code)
    {
        var text = await response.Content.ReadAsStringAsync(Token);
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.ToString());
        Assert.True(response.Headers.CacheControl?.NoStore);
        var match = Stream().Match(text);
        Assert.True(match.Success, text);
        var problem = JsonNode.Parse(match.Groups["data"].Value)!.AsObject();
        Assert.Equal((status, code, false), ((int)problem["status"]!, (string?)problem["code"], (bool)problem["success"]!));
        var min = response.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(2);
        Assert.InRange(
            TimeSpan.FromMilliseconds(int.Parse(match.Groups["retry"].Value, CultureInfo.InvariantCulture)), min, 2 * min);
        return problem;
    }

    [GeneratedRegex("^retry: (?<retry>[0-9]+)\nevent: unavailable\ndata: (?<data>\\{.+\\})\n\n\\z")]
    private static partial Regex Stream();
}
