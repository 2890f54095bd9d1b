using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Logging;
using StatusUpdates.Api.Security.QueryCredentials;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Api;

public sealed class TicketTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private readonly string _alice = SharedApi.NewUser("alice");
    private readonly string _bob = SharedApi.NewUser("bob");

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_ticket_opens_one_connection_and_not_a_second()
    {
        var api = await shared.ApiAsync();
        var issued = await IssueAsync(api, _alice);
        Assert.Equal(["ticket", "expiresAt"], issued.Select(member => member.Key));
        var ticket = (string)issued["ticket"]!;
        await using var client = await SocketClient.ConnectAsync(api, _alice, $"?ticket={ticket}", token: "");
        await api.PublishAsync(_alice);
        Assert.Equal(1, await client.NextSeqAsync());

        using var second = await Handshake.ShakeAsync(api, null, $"?ticket={ticket}");
        await second.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_ticket");
        Assert.StartsWith("Bearer error=\"invalid_token\"", second.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exactly_one_of_fifty_simultaneous_handshakes_on_two_instances_succeeds()
    {
        var one = await shared.ApiAsync();
        await using var two = await one.StartAnotherAsync();
        for (var round = 0; round < 10; round++)
        {
            var ticket = await TicketAsync(round % 2 == 0 ? one : two, _alice);
            var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(
                i => Handshake.ShakeAsync(i % 2 == 0 ? one : two, null, $"?ticket={ticket}")));
            Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.SwitchingProtocols);
            foreach (var lost in answers.Where(answer => answer.StatusCode != HttpStatusCode.SwitchingProtocols))
            {
                await lost.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_ticket");
            }

            Assert.All(answers, answer => answer.Dispose());
        }
    }

    [Fact]
    public async Task A_connection_opened_with_a_ticket_ends_when_the_token_that_was_used_to_get_the_ticket_expires()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));
        var ticket = await TicketAsync(api, _alice, TokenFor(time, _alice, 30));
        await using var client = await SocketClient.ConnectAsync(api, _alice, $"?ticket={ticket}", token: "");

        // The warning comes a fifth of the token's lifetime before its end, not a fifth of what was left of it.
        Sockets.Advance(api, time, TimeSpan.FromSeconds(12));
        await AssertAliveAsync(client);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(12));
        var warning = await client.NextAsync();
        Assert.Equal("token_expiring", (string?)warning["type"]);
        Assert.Equal(time.GetUtcNow().AddSeconds(6).ToUnixTimeSeconds(), ((DateTimeOffset)warning["expiresAt"]!).ToUnixTimeSeconds());

        for (var i = 0; i < 3; i++)
        {
            await AssertAliveAsync(client);
            Sockets.Advance(api, time, TimeSpan.FromSeconds(11.5));
        }

        await AssertAliveAsync(client);
        Sockets.Advance(api, time, TimeSpan.FromSeconds(1.5));
        Assert.Equal(4401, await client.CloseCodeAsync());
    }

    [Fact]
    public async Task A_connection_opened_with_a_ticket_accepts_new_tokens_in_place()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));
        var ticket = await TicketAsync(api, _alice, TokenFor(time, _alice, 30));
        await using var client = await SocketClient.ConnectAsync(api, _alice, $"?ticket={ticket}", token: "");
        await client.SendAsync(Authenticate(TokenFor(time, _alice, 3600)));
        Assert.Equal("authenticated", (string?)(await client.NextAsync())["type"]);
        for (var i = 0; i < 10; i++)
        {
            Sockets.Advance(api, time, TimeSpan.FromSeconds(10));
            await AssertAliveAsync(client);
        }
    }

    [Fact]
    public async Task A_ticket_expires_after_its_lifetime()
    {
        var api = await shared.ApiAsync();
        var before = await api.Database.ScalarAsync<DateTime>("SELECT clock_timestamp()", Token);
        var issued = await IssueAsync(api, _alice);
        var after = await api.Database.ScalarAsync<DateTime>("SELECT clock_timestamp()", Token);
        var expiresAt = DateTimeOffset.Parse((string)issued["expiresAt"]!, CultureInfo.InvariantCulture).UtcDateTime;
        Assert.InRange(expiresAt, before.AddSeconds(30).AddMilliseconds(-1), after.AddSeconds(30));

        // Tickets expire by the database's clock. Instead of waiting for it, the test moves the row's time back.
        await api.Database.ExecuteAsync($"UPDATE tickets SET expires_at = expires_at - interval '30 s' WHERE user_id = '{_alice}'", Token);
        using var late = await Handshake.ShakeAsync(api, null, $"?ticket={(string)issued["ticket"]!}");
        await late.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_ticket");
    }

    [Fact]
    public async Task A_ticket_opens_nothing_once_its_token_has_expired()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));

        // It has expired, and is accepted for the rest of the clock skew: shorter than a ticket's lifetime.
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        var issued = await IssueAsync(api, _alice, TestTokens.Create(_alice, payload =>
        {
            payload["iat"] = now - 60;
            payload["nbf"] = now - 60;
            payload["exp"] = now - 10;
        }));
        var expiresAt = DateTimeOffset.Parse((string)issued["expiresAt"]!, CultureInfo.InvariantCulture);
        Assert.Equal(now - 10 + 30, expiresAt.ToUnixTimeSeconds());

        time.Advance(TimeSpan.FromSeconds(22));
        using var late = await Handshake.ShakeAsync(api, null, $"?ticket={(string)issued["ticket"]!}");
        await late.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_ticket");
    }

    [Theory]
    [InlineData("?ticket=")]
    [InlineData("?ticket")]
    [InlineData("?ticket=garbage")]
    [InlineData("?ticket=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("?ticket=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%00")]
    [InlineData("?ticket=%F0%9F%98%80AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public async Task An_invalid_ticket_gets_the_same_response_as_a_used_one(string query)
    {
        var api = await shared.ApiAsync();
        using var response = await Handshake.ShakeAsync(api, null, query);
        await response.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_ticket");
    }

    [Fact]
    public async Task A_ticket_given_twice_is_refused_and_stays_unused()
    {
        var api = await shared.ApiAsync();
        var ticket = await TicketAsync(api, _alice);
        using var twice = await Handshake.ShakeAsync(api, null, $"?ticket={ticket}&ticket={ticket}");
        await twice.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_ticket");
        await AssertUnusedAsync(api, ticket, _alice);
    }

    [Fact]
    public async Task A_token_and_a_ticket_together_are_refused_with_an_error_that_names_the_ticket_which_stays_unused()
    {
        var api = await shared.ApiAsync();
        var ticket = await TicketAsync(api, _alice);
        var token = TestTokens.Create(_alice);
        foreach (var header in new[] { null, token })
        {
            using var both = await Handshake.ShakeAsync(api, header, $"?ticket={ticket}&token={token}");
            var problem = await both.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
            Assert.Equal(["ticket"], problem["errors"]!.AsObject().Select(error => error.Key));
        }

        await AssertUnusedAsync(api, ticket, _alice);
    }

    [Fact]
    public async Task The_header_wins_over_a_ticket_which_stays_unused()
    {
        var api = await shared.ApiAsync();
        var ticket = await TicketAsync(api, _alice);
        await using var bob = await SocketClient.ConnectAsync(api, _bob, $"?ticket={ticket}");
        using var bad = await Handshake.ShakeAsync(api, "garbage", $"?ticket={ticket}");
        await bad.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");
        await AssertUnusedAsync(api, ticket, _alice);
    }

    [Fact]
    public async Task A_ticket_is_valid_for_a_connection_and_nothing_else()
    {
        var api = await shared.ApiAsync();
        var ticket = await TicketAsync(api, _alice);
        foreach (var (method, path, endpoint) in api.Endpoints.Where(e => e.Path.StartsWith("/api/", StringComparison.Ordinal)))
        {
            if (endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null)
            {
                continue;
            }

            using var asToken = new HttpRequestMessage(new HttpMethod(method), path);
            using var refused = await api.CreateClient(ticket).SendAsync(asToken, Token);
            await refused.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");
            if (endpoint.Metadata.GetMetadata<AcceptsQueryCredentialsAttribute>() is null)
            {
                using var inQuery = new HttpRequestMessage(new HttpMethod(method), $"{path}?ticket={ticket}");
                using var ignored = await api.Anonymous.SendAsync(inQuery, Token);
                await ignored.ProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
            }
        }

        using var asTokenInQuery = await Handshake.ShakeAsync(api, null, $"?token={ticket}");
        await asTokenInQuery.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");
        await using var bob = await SocketClient.ConnectAsync(api, _bob);
        await bob.SendAsync(Authenticate(ticket));
        Assert.Equal("invalid_token", (string?)(await bob.NextAsync())["code"]);
        await AssertAliveAsync(bob);
        await AssertUnusedAsync(api, ticket, _alice);
    }

    [Fact]
    public async Task Only_a_hash_of_a_ticket_is_stored_and_a_used_ticket_leaves_nothing_behind()
    {
        var api = await shared.ApiAsync();
        var ticket = await TicketAsync(api, _alice);
        var hash = await api.Database.ScalarAsync<byte[]>($"SELECT hash FROM tickets WHERE user_id = '{_alice}'", Token);
        Assert.Equal(SHA256.HashData(Encoding.ASCII.GetBytes(ticket)), hash);
        Assert.DoesNotContain(ticket, await api.Database.ScalarAsync<string>($"SELECT t::text FROM tickets t WHERE user_id = '{_alice}'", Token), StringComparison.Ordinal);

        await AssertUnusedAsync(api, ticket, _alice);
        Assert.Equal(0L, await api.Database.ScalarAsync<long>($"SELECT count(*) FROM tickets WHERE user_id = '{_alice}'", Token));
    }

    [Fact]
    public async Task Issuing_a_ticket_removes_expired_unused_tickets_and_no_others()
    {
        // Each request removes a few of all expired tickets: tickets of other tests must not be among them.
        await using var api = await TestApi.StartAsync(servers);
        await api.Database.ExecuteAsync(
            """
            INSERT INTO tickets (hash, user_id, token_expires_at, expires_at)
            SELECT sha256(convert_to(i::text, 'UTF8')), 'bob', now() + interval '1 h', now() - i * interval '1 s' FROM generate_series(0, 199) i
            """,
            Token);
        var tickets = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => TicketAsync(api, _alice)));
        for (var i = 0; i < 20; i++)
        {
            await TicketAsync(api, "carol");
        }

        Assert.Equal(0L, await api.Database.ScalarAsync<long>("SELECT count(*) FROM tickets WHERE user_id = 'bob'", Token));
        foreach (var ticket in tickets)
        {
            await AssertUnusedAsync(api, ticket, _alice);
        }
    }

    [Fact]
    public async Task Tickets_count_against_their_users_rate_limit()
    {
        await using var api = await TestApi.StartAsync(
            servers,
            new Dictionary<string, string?> { ["RateLimits:User:PermitsPerSecond"] = "1", ["RateLimits:User:Burst"] = "2" });
        var client = api.As(_alice);
        for (var i = 0; i < 2; i++)
        {
            using var served = await client.PostAsync("/api/v1/tickets", null, Token);
            await served.DataAsync();
        }

        using var refused = await client.PostAsync("/api/v1/tickets", null, Token);
        await refused.ProblemAsync(HttpStatusCode.TooManyRequests, "rate_limited");
        Assert.NotNull(refused.Headers.RetryAfter);
    }

    [Fact]
    public async Task While_Postgres_is_away_tickets_get_503_and_no_authentication_error_is_logged()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var link = TcpProxy.ToDatabase(database.ConnectionString, out var proxied);
        using var logs = new CollectedLogs();
        await using var api = await TestApi.StartAsync(
            servers,
            new Dictionary<string, string?> { ["ConnectionStrings:statusdb"] = proxied, ["Requests:Timeout"] = "00:00:01" },
            configure: builder => builder.Logging.AddProvider(logs));
        var ticket = await TicketAsync(api, _alice);

        await link.StopAsync();
        using var redeeming = await Handshake.ShakeAsync(api, null, $"?ticket={ticket}");
        await redeeming.ProblemAsync(HttpStatusCode.ServiceUnavailable, "database_unavailable");
        Assert.NotNull(redeeming.Headers.RetryAfter);
        using var issuing = await api.As(_alice).PostAsync("/api/v1/tickets", null, Token);
        await issuing.ProblemAsync(HttpStatusCode.ServiceUnavailable, "database_unavailable");
        Assert.NotNull(issuing.Headers.RetryAfter);
        Assert.DoesNotContain(logs.Lines, line => line.StartsWith("Error Microsoft.AspNetCore.Authentication", StringComparison.Ordinal));
    }

    private static async Task<JsonObject> IssueAsync(TestApi api, string userId, string? token = null)
    {
        using var response = await api.CreateClient(token ?? TestTokens.Create(userId)).PostAsync("/api/v1/tickets", null, Token);
        return (await response.DataAsync()).AsObject();
    }

    private static async Task<string> TicketAsync(TestApi api, string userId, string? token = null) =>
        (string)(await IssueAsync(api, userId, token))["ticket"]!;

    private static async Task AssertUnusedAsync(TestApi api, string ticket, string userId)
    {
        await using var client = await SocketClient.ConnectAsync(api, userId, $"?ticket={ticket}", token: "");
    }

    private static async Task AssertAliveAsync(SocketClient client)
    {
        await client.SendAsync("""{"type":"ping"}""");
        Assert.Equal("pong", (string?)(await client.NextAsync())["type"]);
    }

    private static string TokenFor(TimeProvider time, string userId, int seconds) => TestTokens.Create(userId, payload =>
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        payload["iat"] = now;
        payload["nbf"] = now;
        payload["exp"] = now + seconds;
    });

    private static string Authenticate(string token) =>
        new JsonObject { ["type"] = "authenticate", ["token"] = token }.ToJsonString();
}
