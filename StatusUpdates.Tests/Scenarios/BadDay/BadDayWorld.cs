using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using StackExchange.Redis;
using StatusUpdates.ChatLinks;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Bot;
using StatusUpdates.Tests.Webhooks;

namespace StatusUpdates.Tests.Scenarios.BadDay;

/// <summary>The whole system in separate processes: two APIs (one behind a pooler), three workers, a bot; and the servers it talks to.</summary>
internal sealed class BadDayWorld : IAsyncDisposable
{
    public const int Users = 6;
    private const string Name = "badday";

    private readonly List<IAsyncDisposable> _owned = [];

    private BadDayWorld()
    {
    }

    public required FailoverPair Postgres { get; init; }

    public required RedisServer Redis { get; init; }

    public required FakeTelegram Telegram { get; init; }

    public required WebhookReceiver Receiver { get; init; }

    public PgBouncer? Pooler { get; private set; }

    public IReadOnlyList<Uri> Addresses { get; private set; } = [];

    public IReadOnlyList<ChildProcess> Apis { get; private set; } = [];

    public IReadOnlyList<ChildProcess> Workers { get; private set; } = [];

    public ChildProcess Bot { get; private set; } = null!;

    /// <summary>The connection string of the primary itself, without proxy or pooler.</summary>
    public string Direct => Postgres.DirectTo(Name);

    // They last longer than the longest time without a receiver. Otherwise it would disable webhooks, which would receive nothing more.
    private static IEnumerable<(string Key, string Value)> RetryDelays =>
        Enumerable.Range(0, 40).Select(i => (string.Create(CultureInfo.InvariantCulture, $"Webhooks:Delivery:RetryDelays:{i}"), "00:00:00.300"));

    public static string UserOf(int number) => string.Create(CultureInfo.InvariantCulture, $"user-{number}");

    public static long ChatOf(int number) => 1000 + number;

    public static async Task<BadDayWorld> StartAsync()
    {
        var world = new BadDayWorld
        {
            Postgres = await FailoverPair.StartAsync(),
            Redis = await RedisServer.StartAsync(new RedisServerOptions(), TestTime.Token),
            Telegram = await FakeTelegram.StartAsync(),
            Receiver = await WebhookReceiver.StartAsync(),
        };
        try
        {
            await world.StartProcessesAsync();
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var owned in Enumerable.Reverse(_owned))
        {
            await owned.DisposeAsync();
        }

        await Receiver.DisposeAsync();
        await Telegram.DisposeAsync();
        await Redis.DisposeAsync();
        await Postgres.DisposeAsync();
    }

    /// <summary>Runs a statement on the primary, without proxy or pooler.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var connection = await ConnectAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(TestTime.Token);
    }

    /// <summary>Runs a counting query on the primary, without proxy or pooler.</summary>
    public async Task<long> CountAsync(string sql)
    {
        await using var connection = await ConnectAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (long)(await command.ExecuteScalarAsync(TestTime.Token))!;
    }

    /// <summary>The generations that have not ended, what the sessions of the database do, and what the processes printed last.</summary>
    public async Task<string> DescribeAsync()
    {
        await using var connection = await ConnectAsync();
        await using var command = new NpgsqlCommand(
            """
            SELECT concat_ws(' ', 'now', now())
            UNION ALL (SELECT 'generation ' || to_jsonb(g)::text FROM generations g WHERE status IN ('pending', 'processing') ORDER BY created_at LIMIT 20)
            UNION ALL (SELECT concat_ws(' ', 'session', application_name, state, wait_event_type, wait_event, now() - state_change, left(query, 200))
                FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid())
            """,
            connection);
        await using var rows = await command.ExecuteReaderAsync(TestTime.Token);
        var lines = new List<string>();
        while (await rows.ReadAsync(TestTime.Token))
        {
            lines.Add(rows.GetString(0));
        }

        return string.Join('\n', [.. lines, .. Apis.Concat(Workers).Append(Bot).Select(process => process.Describe())]);
    }

    public async Task<NpgsqlConnection> ConnectAsync()
    {
        var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(Direct) { Pooling = false, Options = "-c default_transaction_read_only=off" }.ConnectionString);
        await connection.OpenAsync(TestTime.Token);
        return connection;
    }

    private async Task StartProcessesAsync()
    {
        await using (var database = new StatusDatabase(Direct + ";Pooling=false"))
        {
            await new DatabaseMigrator(database, new StatusDatabaseOptions(), TimeProvider.System, NullLogger<DatabaseMigrator>.Instance)
                .MigrateAsync(TestTime.Token);
            var codes = new TelegramLinkCodes(database);
            var links = new TelegramLinkStore(database);
            for (var user = 0; user < Users; user++)
            {
                var code = (await codes.IssueAsync(UserOf(user), TimeSpan.FromMinutes(10), 100, 100, TestTime.Token)).Code!.Text;
                Assert.Equal(UserOf(user), await links.LinkAsync(code, FakeTelegram.BotId, ChatOf(user), null, null, TestTime.Token));
            }
        }

        // The pooler drops these options, so they are set on the database.
        foreach (var setting in (string[])["lock_timeout = 5000", "statement_timeout = 15000", "idle_in_transaction_session_timeout = 5000"])
        {
            await ExecuteAsync($"ALTER DATABASE {Name} SET {setting}");
        }

        var connectionString = Postgres.ConnectionStringFor(Name);
        if (PgBouncer.IsInstalled)
        {
            Own(Pooler = await PgBouncer.StartAsync(connectionString, "session", ignoresOptions: true));
        }

        Addresses = [LoopbackPort.FindFreeAddress(), LoopbackPort.FindFreeAddress()];
        Apis =
        [
            .. Addresses.Select((address, i) => Own(new ChildProcess("StatusUpdates.Api.dll", new Dictionary<string, string?>(TestTokens.Settings)
            {
                ["ASPNETCORE_ENVIRONMENT"] = "Development",
                ["ASPNETCORE_URLS"] = address.GetLeftPart(UriPartial.Authority),
                ["ConnectionStrings:statusdb"] = i == 1 && Pooler is not null ? Pooler.ConnectionString : connectionString,
                ["ConnectionStrings:redis"] = RedisString,
                ["Webhooks:AllowedNetworks:0"] = "127.0.0.0/8",
            }))),
        ];
        Workers =
        [
            .. Enumerable.Range(0, 3).Select(i => Own(new ChildProcess("StatusUpdates.SampleProviders.dll", new Dictionary<string, string?>(
                WebhookScene.With([.. RetryDelays]).Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)))
            {
                ["ConnectionStrings:statusdb"] = connectionString,
                ["ConnectionStrings:redis"] = RedisString,
                ["Worker:Lease"] = "00:00:06",
                ["Attempts:MaxFailures"] = "20",
                ["Attempts:RetryBackOff"] = "00:00:00.500",
                ["Worker:Providers:ProductCard"] = "00:00:00.400",
                ["Worker:Providers:ChatProcessing"] = "00:00:00.200",
            }))),
        ];
        var bot = new Dictionary<string, string?>
        {
            ["ConnectionStrings:statusdb"] = connectionString,
            ["ConnectionStrings:redis"] = RedisString,
            ["Telegram:Token"] = FakeTelegram.Token,
            ["Telegram:BaseUrl"] = Telegram.Address.GetLeftPart(UriPartial.Authority),
            ["Telegram:MessagesPerSecond"] = "0",
            ["Telegram:ChatMessagesPerSecond"] = "0",
            ["Telegram:RetryBackOff"] = "00:00:00.020",
            ["Telegram:MaxRetryBackOff"] = "00:00:00.500",
            ["Telegram:StandbyInterval"] = "00:00:00.100",
            ["Cursors:SweepInterval"] = "00:00:00.200",
        };
        Own(Bot = new ChildProcess("StatusUpdates.Bot.dll", bot));
        foreach (var process in (IEnumerable<ChildProcess>)[.. Apis, .. Workers, Bot])
        {
            await process.StartAsync();
        }

        using var http = new HttpClient();
        for (var user = 0; user < Users; user++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Addresses[0], "/api/v1/webhooks"))
            {
                Headers = { { "Authorization", $"Bearer {TestTokens.Create(UserOf(user))}" } },
                Content = JsonContent.Create(new JsonObject { ["url"] = Receiver.Url(UserOf(user)) }),
            };
            using var response = await http.SendAsync(request, TestTime.Token);
            Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(TestTime.Token));
        }
    }

    private string RedisString => Redis.ConnectionString + ",abortConnect=false,connectTimeout=1000";

    private T Own<T>(T owned)
        where T : IAsyncDisposable
    {
        _owned.Add(owned);
        return owned;
    }
}
