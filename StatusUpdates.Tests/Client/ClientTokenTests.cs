using System.Net;
using System.Net.WebSockets;
using Microsoft.Extensions.Time.Testing;
using StatusUpdates.Api.Transports.WebSockets;
using StatusUpdates.Client;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client;

public sealed class ClientTokenTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Tokens_of_30_seconds_are_renewed_in_place_for_five_minutes_without_a_disconnect()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));
        await using var proxy = new TcpProxy(api.Address.Port);
        var issued = 0;
        var options = ClientScene.Options(ClientScene.AddressOf(proxy)) with
        {
            AccessTokenProvider = _ =>
            {
                var token = TokenFor(time, "alice", 30);
                Interlocked.Increment(ref issued);
                return ValueTask.FromResult(token);
            },
        };
        using var client = new StatusUpdatesClient(options);
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        await api.PublishAsync("alice");
        await reader.ExpectAsync(1, 1);
        var connection = Assert.IsType<WebSocketConnection>(Assert.Single(Sockets.Registry(api).Connections));
        for (var round = 1; round <= 12; round++)
        {
            var before = connection.TokenExpiresAt;
            reader.Begin();
            Sockets.Advance(api, time, TimeSpan.FromSeconds(13));
            Sockets.Advance(api, time, TimeSpan.FromSeconds(12));

            // The next round's expiry is announced only if the server accepted this round's token.
            await Eventually.TrueAsync(() => connection.TokenExpiresAt > before);
            Assert.Equal(round + 1, Volatile.Read(ref issued));
            await api.PublishAsync("alice");
            await reader.ExpectAsync(round + 1, round + 1);
        }

        Assert.Equal((1, 13), (proxy.Accepted, issued));
    }

    [Fact]
    public async Task A_token_too_long_for_a_message_is_renewed_by_a_reconnect()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));
        await using var proxy = new TcpProxy(api.Address.Port);
        var tokens = new TokenSequence();
        tokens.Then(_ => ValueTask.FromResult(TokenFor(time, "alice", 30, new string('g', 4_500))));
        using var client = new StatusUpdatesClient(ClientScene.Options(ClientScene.AddressOf(proxy)) with { AccessTokenProvider = tokens.NextAsync });
        await using var reader = client.Watch().Read();
        await reader.ConnectedAsync();
        for (var round = 1; round <= 3; round++)
        {
            Sockets.Advance(api, time, TimeSpan.FromSeconds(13));
            Sockets.Advance(api, time, TimeSpan.FromSeconds(12));
            await Eventually.TrueAsync(() => proxy.Accepted == round + 1 && Sockets.Registry(api).Count == 1);
            await api.PublishAsync("alice");
            await reader.ExpectAsync(round, round);
            reader.Begin();
        }

        Assert.Equal(4, tokens.Asked);
    }

    [Fact]
    public async Task A_token_that_expires_unrenewed_is_replaced_by_a_reconnect()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));
        var tokens = new TokenSequence(TokenFor(time, "alice", 30));
        tokens.Then(_ => throw new InvalidOperationException("the token source is broken"));
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address) with { AccessTokenProvider = tokens.NextAsync });
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        await api.PublishAsync("alice");
        await reader.ExpectAsync(1, 1);

        // Renewing in place fails without effect: the old token is still in use.
        reader.Begin();
        Sockets.Advance(api, time, TimeSpan.FromSeconds(13));
        Sockets.Advance(api, time, TimeSpan.FromSeconds(12));
        await Eventually.TrueAsync(() => tokens.Asked == 2);
        await api.PublishAsync("alice");
        await reader.ExpectAsync(2, 2);

        tokens.Then(_ => ValueTask.FromResult(TokenFor(time, "alice", 600)));
        reader.Begin();
        for (var i = 0; i < 3; i++)
        {
            Sockets.Advance(api, time, TimeSpan.FromSeconds(13));
        }

        await api.PublishAsync("alice");
        await reader.ExpectAsync(3, 3);
    }

    [Fact]
    public async Task A_close_with_4401_leads_to_a_fresh_token_and_a_new_connection()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var gateway = await Gateway.StartAsync(api.Address);
        var authorizations = new List<string>();
        gateway.Answer = async context =>
        {
            authorizations.Add(context.Request.Headers.Authorization.ToString());
            if (authorizations.Count > 1)
            {
                return false;
            }

            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await socket.SendAsync("""{"type":"connected","userId":"alice","seq":0}"""u8.ToArray(), WebSocketMessageType.Text, true, Token);
            await socket.CloseAsync((WebSocketCloseStatus)4401, "token expired", Token);
            return true;
        };
        await api.PublishAsync("alice");
        string[] both = [TestTokens.Create("alice"), TestTokens.Create("alice", payload => payload["jti"] = "2")];
        var tokens = new TokenSequence(both);
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address) with { AccessTokenProvider = tokens.NextAsync });
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        await reader.ExpectAsync(1, 1);
        Assert.Equal(both.Select(token => $"Bearer {token}"), authorizations);
    }

    [Fact]
    public async Task A_refused_token_is_replaced_at_once_then_after_a_wait_and_a_third_refusal_throws()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.PublishAsync("alice");
        var good = new TokenSequence(TestTokens.Bad["expired"], TestTokens.Create("alice"));
        using (var client = new StatusUpdatesClient(ClientScene.Options(api.Address) with { AccessTokenProvider = good.NextAsync }))
        {
            await using var reader = client.Watch(new() { Since = 0 }).Read();
            await reader.ExpectAsync(1, 1);
            Assert.Equal(2, good.Asked);
        }

        var late = new TokenSequence(TestTokens.Bad["expired"], TestTokens.Bad["wrong key"], TestTokens.Create("alice"));
        using (var client = new StatusUpdatesClient(ClientScene.Options(api.Address) with { AccessTokenProvider = late.NextAsync }))
        {
            await using var reader = client.Watch(new() { Since = 0 }).Read();
            await reader.ExpectAsync(1, 1);
            Assert.Equal(3, late.Asked);
        }

        var bad = new TokenSequence(
            TestTokens.Bad["expired"], TestTokens.Bad["wrong key"], TestTokens.Bad["wrong issuer"], TestTokens.Create("alice"));
        using (var client = new StatusUpdatesClient(ClientScene.Options(api.Address) with { AccessTokenProvider = bad.NextAsync }))
        {
            await using var reader = client.Watch(new() { Since = 0 }).Read();
            var error = await Assert.ThrowsAsync<StatusUpdatesException>(reader.NextAsync);
            Assert.Equal((HttpStatusCode.Unauthorized, "invalid_token"), (error.StatusCode, error.Code));
            Assert.Equal(3, bad.Asked);
        }
    }

    [Fact]
    public async Task A_call_whose_fresh_token_is_refused_too_waits_and_tries_another()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var gateway = await Gateway.StartAsync(api.Address);
        var time = new ManualTime();
        var tokens = new TokenSequence(TestTokens.Bad["expired"], TestTokens.Bad["wrong key"], TestTokens.Create("alice"));
        var options = ClientScene.Options(gateway.Address) with
        {
            AccessTokenProvider = tokens.NextAsync,
            TimeProvider = time,
            ReconnectDelay = TimeSpan.FromSeconds(1),
            ReconnectMaxDelay = TimeSpan.FromSeconds(30),
        };
        using var client = new StatusUpdatesClient(options);
        var listing = client.ListAsync(cancellationToken: Token);
        var wait = await time.NextWaitAsync(due => due < TimeSpan.FromSeconds(10));
        Assert.InRange(wait.DueTime, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4));
        Assert.Equal((2, 2), (tokens.Asked, gateway.Requests.Count));

        time.Pass(wait);
        Assert.Equal(0, (await listing).Total);
        Assert.Equal(3, tokens.Asked);
    }

    [Fact]
    public async Task A_feed_that_ended_over_refused_tokens_resumes_with_a_good_one_when_read_again()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.PublishManyAsync("alice", 2);
        var tokens = new TokenSequence(
            TestTokens.Bad["expired"], TestTokens.Bad["wrong key"], TestTokens.Bad["wrong issuer"], TestTokens.Bad["expired"], TestTokens.Create("alice"));
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address) with { AccessTokenProvider = tokens.NextAsync });
        var feed = client.Watch(new() { Since = 0 });
        await using (var reader = feed.Read())
        {
            await Assert.ThrowsAsync<StatusUpdatesException>(reader.NextAsync);
            Assert.Equal(3, tokens.Asked);
        }

        // A refused token is not sent again, and the next refusal is the first of a new series.
        await using var again = feed.Read();
        await again.ExpectAsync(1, 2);
        Assert.Equal(5, tokens.Asked);
    }

    [Fact]
    public async Task A_token_of_another_user_ends_the_feed()
    {
        var time = Sockets.StoppedClock();
        await using var api = await TestApi.StartAsync(servers, configure: Sockets.With(time));
        var tokens = new TokenSequence(TokenFor(time, "alice", 30), TokenFor(time, "bob", 600));
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address) with { AccessTokenProvider = tokens.NextAsync });
        await using var reader = client.Watch().Read();
        await reader.ConnectedAsync();
        Sockets.Advance(api, time, TimeSpan.FromSeconds(13));
        Sockets.Advance(api, time, TimeSpan.FromSeconds(12));

        var error = await Assert.ThrowsAsync<StatusUpdatesException>(reader.NextAsync);
        Assert.Equal(4403, error.CloseCode);
    }

    [Fact]
    public async Task A_cursor_is_never_used_on_another_users_log()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var proxy = new TcpProxy(api.Address.Port);
        await api.PublishAsync("alice");
        await api.PublishManyAsync("bob", 2);
        var tokens = new TokenSequence(TestTokens.Create("alice"));
        using var client = new StatusUpdatesClient(ClientScene.Options(ClientScene.AddressOf(proxy)) with { AccessTokenProvider = tokens.NextAsync });
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        await reader.ExpectAsync(1, 1);

        // As if the API had restarted with another key: the old token is refused, and the new one is another user's.
        await using var gateway = await Gateway.StartAsync(api.Address);
        gateway.Answer = context => Task.FromResult(
            context.Request.Headers.Authorization.ToString().EndsWith(tokens.First, StringComparison.Ordinal) && Gateway.Refuse(context, 401));
        tokens.Then(_ => ValueTask.FromResult(TestTokens.Create("bob")));
        proxy.TargetPort = gateway.Address.Port;
        proxy.Cut();

        var error = await Assert.ThrowsAsync<StatusUpdatesException>(reader.NextAsync);
        Assert.Equal(StatusUpdatesException.UserChanged, error.Code);
    }

    [Fact]
    public async Task A_token_source_that_is_briefly_unavailable_is_asked_again_and_a_broken_one_ends_the_feed()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.PublishAsync("alice");
        var unavailable = new TokenSequence();
        unavailable.Then(_ => throw new HttpRequestException("unavailable")).Then(_ => throw new TimeoutException("slow")).Then(_ => ValueTask.FromResult(TestTokens.Create("alice")));
        using (var client = new StatusUpdatesClient(ClientScene.Options(api.Address) with { AccessTokenProvider = unavailable.NextAsync }))
        {
            await using var reader = client.Watch(new() { Since = 0 }).Read();
            await reader.ExpectAsync(1, 1);
            Assert.Equal((3, StatusTransport.WebSocket), (unavailable.Asked, reader.Feed.Transport));
        }

        var broken = new TokenSequence();
        broken.Then(_ => throw new UnauthorizedAccessException("no"));
        using (var client = new StatusUpdatesClient(ClientScene.Options(api.Address) with { AccessTokenProvider = broken.NextAsync }))
        {
            await using var reader = client.Watch(new() { Since = 0 }).Read();
            await Assert.ThrowsAsync<UnauthorizedAccessException>(reader.NextAsync);
        }
    }

    [Fact]
    public async Task A_feed_waiting_for_its_first_token_can_be_left_even_if_the_source_ignores_cancellation()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var never = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var options = ClientScene.Options(new("http://127.0.0.1:9")) with
        {
            AccessTokenProvider = _ =>
            {
                asked.SetResult();
                return new(never.Task);
            },
        };
        using var client = new StatusUpdatesClient(options);

        await LeaveAsync(client.Watch(), asked.Task);
    }

    [Fact]
    public async Task A_feed_renewing_its_token_can_be_left_even_if_the_source_ignores_cancellation()
    {
        await using var gateway = await Gateway.StartAsync();
        gateway.Answer = async context =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await socket.SendAsync("""{"type":"connected","userId":"alice","seq":0}"""u8.ToArray(), WebSocketMessageType.Text, true, Token);
            await socket.SendAsync("""{"type":"token_expiring"}"""u8.ToArray(), WebSocketMessageType.Text, true, Token);
            await socket.ReceiveAsync(new byte[1], context.RequestAborted);
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Token);
            return true;
        };
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var never = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var tokens = new TokenSequence(TestTokens.Create("alice"));
        tokens.Then(_ =>
        {
            asked.SetResult();
            return new(never.Task);
        });
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address) with { AccessTokenProvider = tokens.NextAsync });

        await LeaveAsync(client.Watch(new() { Since = 0 }), asked.Task);
    }

    [Fact]
    public async Task An_abandoned_token_request_is_not_repeated_before_it_completes_and_its_token_is_used()
    {
        await using var api = await TestApi.StartAsync(servers);
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var late = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var tokens = new TokenSequence();
        tokens.Then(_ =>
        {
            asked.SetResult();
            return new(late.Task);
        }).Then(_ => throw new InvalidOperationException("asked twice at the same time"));
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address) with { AccessTokenProvider = tokens.NextAsync });
        using var stop = new CancellationTokenSource();
        var left = client.ListAsync(cancellationToken: stop.Token);
        await asked.Task.WaitAsync(Token);
        var waiting = client.ListAsync(cancellationToken: Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left.WaitAsync(TestTime.Patience, Token));

        Assert.False(waiting.IsCompleted);
        late.SetResult(TestTokens.Create("alice"));
        Assert.Equal(0, (await waiting).Total);
        Assert.Equal(1, tokens.Asked);
    }

    [Fact]
    public async Task Many_calls_at_once_share_one_token()
    {
        await using var api = await TestApi.StartAsync(servers);
        var tokens = new TokenSequence(TestTokens.Bad["expired"], TestTokens.Create("alice"));
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address) with { AccessTokenProvider = tokens.NextAsync });
        var pages = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => client.ListAsync(cancellationToken: Token)));

        Assert.All(pages, page => Assert.Equal(0, page.Total));
        Assert.Equal(2, tokens.Asked);
    }

    [Theory]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("a\r\nX-Injected: b")]
    public async Task A_value_that_is_not_a_token_is_not_sent(string token)
    {
        await using var gateway = await Gateway.StartAsync();
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address) with { AccessTokenProvider = _ => ValueTask.FromResult(token) });

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => client.GetAsync("gen-1", Token));
        Assert.Contains("AccessTokenProvider", error.Message, StringComparison.Ordinal);
        Assert.Empty(gateway.Requests);
    }

    private static async Task LeaveAsync(StatusFeed feed, Task isAsked)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var items = feed.GetAsyncEnumerator(stop.Token);
        var waiting = items.MoveNextAsync().AsTask();
        await isAsked.WaitAsync(Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(TestTime.Patience, Token));
        await items.DisposeAsync();
    }

    private static string TokenFor(FakeTimeProvider time, string userId, int seconds, string groups = "") => TestTokens.Create(userId, payload =>
    {
        payload["groups"] = groups;
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        payload["iat"] = now;
        payload["nbf"] = now;
        payload["exp"] = now + seconds;
    });

    /// <summary>Gives its answers in order, then repeats the last one.</summary>
    private sealed class TokenSequence(params string[] tokens)
    {
        private readonly Lock _gate = new();
        private readonly List<Func<CancellationToken, ValueTask<string>>> _answers =
            [.. tokens.Select<string, Func<CancellationToken, ValueTask<string>>>(token => _ => ValueTask.FromResult(token))];

        private int _asked;

        public string First => tokens[0];

        public int Asked => Volatile.Read(ref _asked);

        public TokenSequence Then(Func<CancellationToken, ValueTask<string>> answer)
        {
            lock (_gate)
            {
                _answers.Add(answer);
            }

            return this;
        }

        public ValueTask<string> NextAsync(CancellationToken cancellationToken)
        {
            Func<CancellationToken, ValueTask<string>> answer;
            lock (_gate)
            {
                answer = _answers[Math.Min(_asked++, _answers.Count - 1)];
            }

            return answer(cancellationToken);
        }
    }
}
