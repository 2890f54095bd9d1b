using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Messaging;

/// <summary>The pub/sub guarantees, on redis-server and on Garnet.</summary>
public sealed class PubSubTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData(RedisFlavor.RedisServer)]
    [InlineData(RedisFlavor.Garnet)]
    public async Task An_update_reaches_the_subscribers_to_all_updates_and_those_of_its_user_only(RedisFlavor flavor)
    {
        await using var redis = await servers.ConnectRedisAsync(flavor);
        var subscriber = new StatusSubscriber(redis.Connection, redis.Options);
        var all = new Received();
        var mine = new Received();
        var others = new Received();
        await using var subscriptionToAll = await subscriber.SubscribeAllAsync(all.HandleAsync, Token);
        await using var subscriptionToMine = await subscriber.SubscribeUserAsync("user-456", mine.HandleAsync, Token);
        await using var subscriptionToOthers = await subscriber.SubscribeUserAsync("user-789", others.HandleAsync, Token);
        var publisher = new StatusPublisher(redis.Connection, redis.Options);
        var update = Update("user-456", 42);

        await publisher.PublishStatusUpdateAsync(update, Token);
        await publisher.PublishStatusUpdateAsync(Update("user-789", 1), Token);

        Assert.True(subscriptionToAll.IsAcknowledged && subscriptionToMine.IsAcknowledged);

        // Whether the message contains a trace depends on the trace listeners in this process, not on the update.
        Assert.Equal(StatusJson.Encode(update), StatusJson.Encode(await mine.NextAsync() with { TraceParent = null }));
        Assert.Equal(["user-456", "user-789"], [(await all.NextAsync()).UserId, (await all.NextAsync()).UserId]);
        Assert.Equal("user-789", (await others.NextAsync()).UserId);
        Assert.False(mine.HasMore || others.HasMore);
    }

    [Theory]
    [InlineData(RedisFlavor.RedisServer)]
    [InlineData(RedisFlavor.Garnet)]
    public async Task Many_updates_are_pipelined_and_arrive_in_order(RedisFlavor flavor)
    {
        await using var redis = await servers.ConnectRedisAsync(flavor);
        var received = new Received();
        await using var subscription = await new StatusSubscriber(redis.Connection, redis.Options).SubscribeUserAsync("u", received.Handle, cancellationToken: Token);

        await new StatusPublisher(redis.Connection, redis.Options)
            .PublishStatusUpdatesAsync([.. Enumerable.Range(1, 2000).Select(i => Update("u", i))], Token);

        for (var seq = 1; seq <= 2000; seq++)
        {
            Assert.Equal(seq, (await received.NextAsync()).Seq);
        }
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("")]
    [InlineData("""{"generationId":"g","userId":"u","type":"product_card","status":"done","timestamp":1}""")]
    [InlineData("""{"generationId":"g","userId":"u","type":"product_card","status":1,"timestamp":1}""")]
    [InlineData("""{"generationId":"","userId":"u","type":"sora","status":"failed","timestamp":1}""")]
    [InlineData("""{"generationId":"g","type":"sora","status":"failed","timestamp":1}""")]
    [InlineData("""{"generationId":"g","userId":"u","type":"sora","status":"failed","timestamp":1,"seq":0}""")]
    [InlineData("""{"generationId":"g","userId":"someone-else","type":"sora","status":"failed","timestamp":1}""")]
    [InlineData("\ud83d")]
    public async Task A_malformed_message_is_ignored_and_the_next_one_arrives(string message)
    {
        await using var redis = await servers.ConnectRedisAsync();
        var received = new Received();
        var warnings = new WarningLogger<StatusSubscriber>();
        await using var subscription =
            await new StatusSubscriber(redis.Connection, redis.Options, warnings).SubscribeUserAsync("u", received.HandleAsync, Token);

        await redis.Connection.GetSubscriber().PublishAsync(new StatusChannels(redis.Options).User("u"), message);
        await new StatusPublisher(redis.Connection, redis.Options).PublishStatusUpdateAsync(Update("u", 7), Token);

        Assert.Equal(7, (await received.NextAsync()).Seq);
        Assert.False(received.HasMore);
        Assert.Equal(1101, Assert.Single(warnings.Events));
    }

    [Fact]
    public async Task A_message_over_64_KiB_is_rejected_unread_and_one_of_exactly_64_KiB_is_accepted()
    {
        await using var redis = await servers.ConnectRedisAsync();
        var received = new Received();
        var asked = Channel.CreateUnbounded<string>();
        var warnings = new WarningLogger<StatusSubscriber>();
        var subscriber = new StatusSubscriber(redis.Connection, redis.Options, warnings);
        await using var updates = await subscriber.SubscribeUserAsync("u", received.HandleAsync, Token);
        await using var cancels = await subscriber.SubscribeCancelRequestsAsync(id => asked.Writer.TryWrite(id), Token);
        var channels = new StatusChannels(redis.Options);
        var encoded = StatusJson.Encode(Update("u", 1));
        var longest = new byte[StatusSubscriber.MaxMessageBytes];
        Array.Fill(longest, (byte)' ');
        encoded.CopyTo(longest, 0);

        await redis.Connection.GetSubscriber().PublishAsync(channels.User("u"), (byte[])[.. longest, (byte)' ']);
        await redis.Connection.GetSubscriber().PublishAsync(channels.User("u"), longest);
        await redis.Connection.GetSubscriber().PublishAsync(channels.CancelRequests, new string('g', StatusSubscriber.MaxMessageBytes + 1));
        await redis.Connection.GetSubscriber().PublishAsync(channels.CancelRequests, new string('g', 256));
        await redis.Connection.GetSubscriber().PublishAsync(channels.CancelRequests, "");
        await redis.Connection.GetSubscriber().PublishAsync(channels.CancelRequests, "gen-1");

        Assert.Equal(1, (await received.NextAsync()).Seq);
        Assert.False(received.HasMore);
        Assert.Equal("gen-1", await asked.Reader.ReadAsync(Token));
        Assert.Single(warnings.Events);
    }

    [Fact]
    public async Task Malformed_messages_are_logged_once_a_minute_with_their_number_and_none_of_their_content()
    {
        await using var redis = await servers.ConnectRedisAsync();
        var time = new FakeTimeProvider();
        var received = new Received();
        var warnings = new WarningLogger<StatusSubscriber>();
        var subscriber = new StatusSubscriber(redis.Connection, redis.Options, warnings, time: time);
        await using var subscription = await subscriber.SubscribeUserAsync("u", received.HandleAsync, Token);
        var channel = new StatusChannels(redis.Options).User("u");
        string[] messages =
        [
            """{"a secret":{"another secret":""",
            """{"generationId":"g","userId":"a secret","type":"sora","status":"failed","timestamp":1}""",
            """{"generationId":"g","userId":"u","type":"a secret","status":"failed","timestamp":1}""",
            """{"generationId":"g","userId":"u","type":"sora","status":"failed","timestamp":1,"metadata":{"a secret":1,"progress":"a secret"}}""",
        ];

        foreach (var message in messages)
        {
            time.Advance(LogPace.Pause);
            for (var i = 0; i < 3; i++)
            {
                await redis.Connection.GetSubscriber().PublishAsync(channel, message);
            }

            await new StatusPublisher(redis.Connection, redis.Options).PublishStatusUpdateAsync(Update("u", 1), Token);
            await received.NextAsync();
        }

        Assert.Equal(messages.Length, warnings.Texts.Count);
        Assert.Contains("Ignored 1 messages", warnings.Texts[0], StringComparison.Ordinal);
        Assert.All(warnings.Texts.Skip(1), text => Assert.Contains("Ignored 3 messages", text, StringComparison.Ordinal));
        Assert.DoesNotContain(warnings.Texts, text => text.Contains("secret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_failing_handler_affects_neither_its_own_next_update_nor_another_subscription()
    {
        await using var redis = await servers.ConnectRedisAsync();
        var subscriber = new StatusSubscriber(redis.Connection, redis.Options);
        var failing = new Received();
        var healthy = new Received();
        await using var one = await subscriber.SubscribeUserAsync("u", (update, _) => throw new InvalidOperationException("handler failure"), Token);
        await using var two = await subscriber.SubscribeUserAsync(
            "u",
            update =>
            {
                failing.Handle(update);
                throw new InvalidOperationException("handler failure");
            },
            cancellationToken: Token);
        await using var three = await subscriber.SubscribeAllAsync(healthy.HandleAsync, Token);

        await new StatusPublisher(redis.Connection, redis.Options).PublishStatusUpdatesAsync([Update("u", 1), Update("u", 2)], Token);

        Assert.Equal((1L, 2L), ((await failing.NextAsync()).Seq!.Value, (await failing.NextAsync()).Seq!.Value));
        Assert.Equal((1L, 2L), ((await healthy.NextAsync()).Seq!.Value, (await healthy.NextAsync()).Seq!.Value));
    }

    [Fact]
    public async Task A_disposed_subscription_receives_nothing_more_and_another_one_continues()
    {
        await using var redis = await servers.ConnectRedisAsync();
        var subscriber = new StatusSubscriber(redis.Connection, redis.Options);
        var gone = new Received();
        var stays = new Received();
        var first = await subscriber.SubscribeUserAsync("u", gone.HandleAsync, Token);
        await using var second = await subscriber.SubscribeUserAsync("u", stays.HandleAsync, Token);

        await first.DisposeAsync();
        await first.DisposeAsync();
        await new StatusPublisher(redis.Connection, redis.Options).PublishStatusUpdateAsync(Update("u", 1), Token);

        Assert.Equal(1, (await stays.NextAsync()).Seq);
        Assert.False(gone.HasMore);
    }

    [Fact]
    public async Task A_handler_that_falls_behind_loses_the_oldest_updates_and_gets_the_newest()
    {
        await using var redis = await servers.ConnectRedisAsync();
        var options = redis.Options;
        options.HandlerCapacity = 4;
        var received = new Received();
        var entered = new TaskCompletionSource();
        var release = new TaskCompletionSource();
        var arrived = new Received();
        var subscriber = new StatusSubscriber(redis.Connection, options);
        await using var slow = await subscriber.SubscribeUserAsync(
            "u",
            async (update, token) =>
            {
                entered.TrySetResult();
                await release.Task.WaitAsync(token);
                received.Handle(update);
            },
            Token);
        var publisher = new StatusPublisher(redis.Connection, options);
        await publisher.PublishStatusUpdateAsync(Update("u", 1), Token);
        await entered.Task.WaitAsync(Token);

        // The direct subscription comes second: what it has received is in the slow one's queue too, at the latest when a later message arrives.
        await using var direct = await subscriber.SubscribeAllAsync(arrived.Handle, Token);
        await publisher.PublishStatusUpdatesAsync([.. Enumerable.Range(2, 20).Select(i => Update("u", i))], Token);
        for (var i = 0; i < 20; i++)
        {
            await arrived.NextAsync();
        }

        await redis.Connection.GetSubscriber().PingAsync();
        release.SetResult();

        Assert.Equal(1, (await received.NextAsync()).Seq);
        long last;
        var seen = new List<long>();
        do
        {
            last = (await received.NextAsync()).Seq!.Value;
            seen.Add(last);
        }
        while (last < 21);
        Assert.Equal(seen.Order(), seen);
        Assert.InRange(seen.Count, 4, 19);
    }

    [Theory]
    [InlineData(RedisFlavor.RedisServer)]
    [InlineData(RedisFlavor.Garnet)]
    public async Task A_subscription_survives_a_crash_of_Redis_and_one_made_meanwhile_takes_effect_when_Redis_is_back(RedisFlavor flavor)
    {
        await using var server = await RedisServer.StartAsync(new RedisServerOptions { Flavor = flavor }, Token);
        await using var redis = await TestRedis.ConnectAsync(server.ConnectionString);
        var options = redis.Options;
        options.SubscribeTimeout = TimeSpan.FromMilliseconds(200);
        var subscriber = new StatusSubscriber(redis.Connection, options);
        var publisher = new StatusPublisher(redis.Connection, options);
        var before = new Received();
        var during = new Received();
        await using var first = await subscriber.SubscribeUserAsync("u", before.Handle, cancellationToken: Token);

        await server.KillAsync();
        await WaitUntilAsync(redis.Connection, connected: false);
        Assert.False(await publisher.TryPublishAsync([Update("u", 1)]));
        await using var second = await subscriber.SubscribeUserAsync("u", during.Handle, cancellationToken: Token);
        Assert.False(second.IsAcknowledged);
        await server.RestartAsync(Token);

        // Redis messages are hints: until both subscriptions are restored, one may be missed, so it is repeated until both have received one.
        for (var seq = 2; !(before.HasMore && during.HasMore); seq++)
        {
            Token.ThrowIfCancellationRequested();
            await publisher.TryPublishAsync([Update("u", seq)]);
            await Task.WhenAny(Task.WhenAll(before.WaitAsync(), during.WaitAsync()), Task.Delay(50, Token));
        }
    }

    [Theory]
    [InlineData("-subscribe")]
    [InlineData("resetchannels")]
    public async Task A_subscription_that_Redis_refuses_is_not_acknowledged_is_reported_and_is_made_once_it_is_permitted(string withheld)
    {
        await using var redis = await servers.ConnectRedisAsync(RedisFlavor.RedisServer);
        await using var acl = await RedisUser.CreateAsync(redis, "&*", "+@all", withheld);
        var watch = new MessagingWatch();
        var received = new Received();
        var subscriber = new StatusSubscriber(acl.Connection, redis.Options, watch: watch);

        await using var subscription = await subscriber.SubscribeUserAsync("u", received.Handle, cancellationToken: Token);
        await subscriber.ResubscribeAsync(Token);
        Assert.False(subscription.IsAcknowledged);
        Assert.Equal($"Redis refuses SUBSCRIBE {redis.ChannelPrefix}generation:user:{{userId}}.", watch.Trouble);

        await acl.SetAsync("&*", "+@all");
        await subscriber.ResubscribeAsync(Token);
        Assert.True(subscription.IsAcknowledged);
        Assert.Null(watch.Trouble);
        await new StatusPublisher(redis.Connection, redis.Options).PublishStatusUpdateAsync(Update("u", 1), Token);
        Assert.Equal(1, (await received.NextAsync()).Seq);
    }

    [Fact]
    public async Task The_permissions_that_the_manual_names_are_enough()
    {
        await using var redis = await servers.ConnectRedisAsync(RedisFlavor.RedisServer);
        await using var acl = await RedisUser.CreateAsync(
            redis, $"&{redis.ChannelPrefix}generation:*", "+publish", "+subscribe", "+unsubscribe", "+ping", "+echo");
        var watch = new MessagingWatch();
        var received = new Received();
        await using var subscription = await new StatusSubscriber(acl.Connection, redis.Options, watch: watch).SubscribeUserAsync("u", received.Handle, cancellationToken: Token);

        await new StatusPublisher(acl.Connection, redis.Options, watch: watch).PublishStatusUpdateAsync(Update("u", 1), Token);

        Assert.Equal(1, (await received.NextAsync()).Seq);
        Assert.True(subscription.IsAcknowledged);
        Assert.Null(watch.Trouble);
    }

    [Fact]
    public async Task A_cancel_request_reaches_the_workers()
    {
        await using var redis = await servers.ConnectRedisAsync();
        var requests = Channel.CreateUnbounded<string>();
        await using var subscription = await new StatusSubscriber(redis.Connection, redis.Options)
            .SubscribeCancelRequestsAsync(id => requests.Writer.TryWrite(id), Token);

        Assert.True(await new StatusPublisher(redis.Connection, redis.Options).TryPublishCancelRequestAsync("gen-1"));

        Assert.Equal("gen-1", await requests.Reader.ReadAsync(Token));
    }

    private static async Task WaitUntilAsync(IConnectionMultiplexer connection, bool connected)
    {
        var changed = new TaskCompletionSource();
        connection.ConnectionFailed += (_, _) => changed.TrySetResult();
        while (connection.IsConnected != connected)
        {
            await Task.WhenAny(changed.Task, Task.Delay(20, Token));
        }
    }

    private static StatusUpdate Update(string userId, long seq) => new()
    {
        GenerationId = "gen-123",
        UserId = userId,
        Type = "product_card",
        Status = GenerationStatus.Completed,
        Timestamp = 1_700_000_000_000,
        Seq = seq,
        Metadata = new StatusMetadata { ResultUrls = ["https://example.org/1.png"], TokensUsed = 10 },
    };

    private sealed class Received
    {
        private readonly Channel<StatusUpdate> _updates = Channel.CreateUnbounded<StatusUpdate>();

        public bool HasMore => _updates.Reader.TryPeek(out _);

        public void Handle(StatusUpdate update) => _updates.Writer.TryWrite(update);

        public ValueTask HandleAsync(StatusUpdate update, CancellationToken cancellationToken)
        {
            Handle(update);
            return ValueTask.CompletedTask;
        }

        public async Task<StatusUpdate> NextAsync() => await _updates.Reader.ReadAsync(Token);

        public async Task WaitAsync() => await _updates.Reader.WaitToReadAsync(Token);
    }

    private sealed class WarningLogger<T> : ILogger<T>
    {
        public List<int> Events { get; } = [];

        public List<string> Texts { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Warning)
            {
                lock (Events)
                {
                    Events.Add(eventId.Id);
                    Texts.Add(formatter(state, exception));
                }
            }
        }
    }
}
