using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Messaging;

namespace StatusUpdates.Tests.Transports;

/// <summary>Forged messages on Redis, and messages that Redis refuses or loses: clients get only what is in the log, and failures are reported.</summary>
public sealed class ForgedHintTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_update_that_is_not_in_the_log_is_not_sent_however_well_it_fits(bool isListening)
    {
        await using var api = await TestApi.StartAsync(servers);
        var first = await api.PublishAsync("alice");
        await using var client = await SocketClient.ConnectAsync(api, "alice");

        // From a second environment on the same Redis, or from someone who has listened and knows the last cursor.
        var forged = first with
        {
            GenerationId = "gen-forged",
            Status = GenerationStatus.Completed,
            Seq = 2,
            Cursor = "2-00000000",
            After = isListening ? first.Cursor : "1-12345678",
        };
        await api.Redis.Connection.GetSubscriber().PublishAsync(
            new StatusChannels(api.Redis.Options).User("alice"), StatusJson.Encode(forged));
        var second = await api.PublishAsync("alice");

        Assert.Equal(second.GenerationId, (string?)(await client.NextPayloadAsync())["generationId"]);
        Assert.Equal(3, (await api.PublishAsync("alice")).Seq);
        Assert.Equal(3, await client.NextSeqAsync());
    }

    [Fact]
    public async Task Updates_of_publishers_without_a_log_are_sent_unless_the_operator_disables_them()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["Gateway:Feeds:UpdatesWithoutSeq"] = "false" });
        await using var open = await api.StartAnotherAsync();
        await using var strict = await SocketClient.ConnectAsync(api, "alice");
        await using var client = await SocketClient.ConnectAsync(open, "alice");
        var loose = await api.PublishAsync("alice") with { Seq = null, Cursor = null, After = null, GenerationId = "gen-loose" };
        Assert.Equal((1, 1), (await strict.NextSeqAsync(), await client.NextSeqAsync()));

        await api.Redis.Connection.GetSubscriber().PublishAsync(
            new StatusChannels(api.Redis.Options).User("alice"), StatusJson.Encode(loose));

        Assert.Equal("gen-loose", (string?)(await client.NextPayloadAsync())["generationId"]);
        await api.PublishAsync("alice");
        Assert.Equal(2, await strict.NextSeqAsync());
    }

    [Fact]
    public async Task A_replaced_key_is_soon_used_by_every_instance()
    {
        await using var api = await TestApi.StartAsync(servers);
        var seal = api.App.Services.GetRequiredService<MessageSeal>();
        var loader = api.App.Services.GetServices<Microsoft.Extensions.Hosting.IHostedService>().OfType<MessageKeyLoader>().Single();
        var before = seal.Seal("""{"a":1}"""u8.ToArray());
        await api.Database.ExecuteAsync("DELETE FROM message_key", Token);

        await loader.LoadAsync(Token);

        Assert.False(seal.IsGenuine(before));
        await using var another = await api.StartAnotherAsync();
        Assert.True(another.App.Services.GetRequiredService<MessageSeal>().IsGenuine(seal.Seal("""{"a":1}"""u8.ToArray())));
    }

    [Theory]
    [InlineData("-publish", "PUBLISH {0}generation:user:{{userId}}")]
    [InlineData("-subscribe", "SUBSCRIBE {0}generation:user:{{userId}}")]
    [InlineData("resetchannels", "PUBLISH {0}generation:user:{{userId}}")]
    [InlineData("resetchannels", "SUBSCRIBE {0}generation:user:{{userId}}")]
    [InlineData("resetchannels &{0}generation:user:*", "PUBLISH {0}generation:status-updates")]
    public async Task A_missing_permission_degrades_the_service_and_is_named_until_it_is_granted(string withheld, string expected)
    {
        var logs = new CollectedLogs();
        await using var redis = await servers.ConnectRedisAsync(NativeServers.Native.RedisFlavor.RedisServer);
        await using var database = await servers.CreateDatabaseAsync(Token);
        expected = string.Format(CultureInfo.InvariantCulture, expected, redis.ChannelPrefix);
        var rules = string.Format(CultureInfo.InvariantCulture, withheld, redis.ChannelPrefix).Split(' ');
        await using var acl = await RedisUser.CreateAsync(redis, ["~*", "&*", "+@all", .. rules]);
        await using var api = await TestApi.StartAsync(
            database,
            redis,
            new Dictionary<string, string?>
            {
                ["ConnectionStrings:redis"] = acl.ConnectionString,
                ["StatusMessaging:SubscribeTimeout"] = "00:00:01",
                ["Gateway:Feeds:SubscribeWait"] = "00:00:00.100",
            },
            builder => builder.Logging.AddProvider(logs));

        await using var client = await SocketClient.ConnectAsync(api, "alice");
        using var submitted = await api.As("alice").PostAsync("/api/v1/generations", Answers.Json("""{"type":"chat","prompt":"p"}"""), Token);
        Assert.Equal(1, await client.NextSeqAsync());
        await HealthAsync(api, "degraded", trouble => trouble.Contains(expected, StringComparison.Ordinal));
        Assert.Contains(logs.Lines, line => line.StartsWith("Warning", StringComparison.Ordinal) && line.Contains($"Redis refuses {expected}: ", StringComparison.Ordinal));

        await acl.SetAsync("&*", "+@all");
        for (var seq = 2; ; seq++)
        {
            using var another = await api.As("alice").PostAsync("/api/v1/generations", Answers.Json("""{"type":"chat","prompt":"p"}"""), Token);
            Assert.Equal(seq, await client.NextSeqAsync());
            if (await StatusAsync(api) == "healthy")
            {
                break;
            }
        }
    }

    [Fact]
    public async Task Announcements_that_never_arrive_degrade_the_service_until_one_does()
    {
        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["Gateway:Feeds:SweepInterval"] = "00:00:00.050" });
        await using var client = await SocketClient.ConnectAsync(api, "alice");

        // Committed by a process that publishes elsewhere.
        var seq = 0;
        while (await StatusAsync(api) != "degraded")
        {
            await api.Database.SubmitAsync("alice", cancellationToken: Token);
            Assert.Equal(++seq, await client.NextSeqAsync());
        }

        await api.PublishAsync("alice");
        Assert.Equal(++seq, await client.NextSeqAsync());
        await HealthAsync(api, "healthy", _ => true);
    }

    private static async Task<string?> StatusAsync(TestApi api) => (string?)(await ReadHealthAsync(api))["status"];

    private static Task HealthAsync(TestApi api, string status, Func<string, bool> isExpected) => Eventually.TrueAsync(async () =>
        await ReadHealthAsync(api) is var health
        && (string?)health["status"] == status
        && isExpected((string?)health["checks"]!["Redis messages"]!["description"] ?? ""));

    private static async Task<JsonNode> ReadHealthAsync(TestApi api) => (await api.Anonymous.GetFromJsonAsync<JsonNode>("/health", Token))!;
}
