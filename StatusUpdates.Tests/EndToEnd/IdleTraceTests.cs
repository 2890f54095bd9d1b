using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net.WebSockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Npgsql;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Bot;
using StatusUpdates.Tests.Scenarios;
using WorkerProgram = StatusUpdates.Worker.Program;

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>The list of traces shows what people do: what timers do is on it only where it finds work or fails.</summary>
[Collection(WholeMachine.Name)]
public sealed class IdleTraceTests(TestServers servers)
{
    // Of each kind; what made a trace each time would have made as many.
    private const int Rounds = 5;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Polls_sweeps_heartbeats_health_checks_and_retention_that_find_nothing_leave_no_trace()
    {
        var spans = new CollectedSpans();
        var passes = 0;
        using var meters = new MeterListener();
        meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == "statusupdates.retention.pass.duration")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        meters.SetMeasurementEventCallback<double>((_, _, _, _) => Interlocked.Increment(ref passes));
        meters.Start();

        int port;
        await using var telegram = await FakeTelegram.StartNewAsync();
        await using (var api = await TestApi.StartAsync(
            servers,
            new Dictionary<string, string?> { ["Gateway:Feeds:SweepInterval"] = "00:00:00.050" },
            configure: spans.AddTo))
        {
            port = api.Address.Port;
            using var one = Worker(api, spans);
            using var other = Worker(api, spans);
            await one.StartAsync(Token);
            await other.StartAsync(Token);
            await using var bot = await TestBot.StartAsync(
                api.Database, api.Redis, telegram.Address, spans.AddTo, ("Telegram:PollTimeout", "00:00:01"));

            // A connection that follows a user, so that feeds have something to sweep.
            using var socket = new ClientWebSocket();
            await socket.ConnectAsync(
                new Uri($"ws://127.0.0.1:{api.Address.Port}/ws/status?token={TestTokens.Create("idle")}"), Token);

            await UntilSeenAsync(api.Database, "claim", "extend leases", "claim cursors", "read heads");
            await Transports.Eventually.TrueAsync(() => Volatile.Read(ref passes) >= 2 && telegram.Polls >= 2);
            for (var i = 0; i < Rounds; i++)
            {
                using var health = await api.Anonymous.GetAsync("/health", Token);
                health.EnsureSuccessStatusCode();
            }

            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Token);
            await one.StopAsync(Token);
            await other.StopAsync(Token);
        }

        // The API is asked by this test alone, whose client records it too.
        bool IsOurs(Activity span) => span.Source.Name == "System.Net.Http" && Equals(span.GetTagItem("server.port"), port);

        // A request is one, be it the test's own (the socket) or one to the server that plays Telegram; what belongs to it is no trace.
        var requests = spans.All.Where(span => span.Kind == ActivityKind.Server).Select(span => span.TraceId).ToHashSet();
        Assert.Contains(spans.All, span => span.Kind == ActivityKind.Server && Equals(span.GetTagItem("url.path"), "/ws/status"));
        Assert.DoesNotContain(spans.All, span => Equals(span.GetTagItem("url.path"), "/health"));
        var rest = spans.All.Where(span => !requests.Contains(span.TraceId) && !IsOurs(span)).Select(CollectedSpans.Describe).ToList();
        Assert.True(rest.Count == 0, string.Join("\n\n", rest));
    }

    private static IHost Worker(TestApi api, CollectedSpans spans) => WorkerProgram.Build(
        new HostApplicationBuilderSettings { EnvironmentName = "Development" },
        builder =>
        {
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["ConnectionStrings:statusdb"] = api.Database.ConnectionString,
                ["ConnectionStrings:redis"] = api.Redis.ConnectionString,
                ["StatusMessaging:ChannelPrefix"] = api.Redis.ChannelPrefix,
                ["Results:PublicBaseUrl"] = api.Address.ToString(),
                ["Worker:PollInterval"] = "00:00:00.050",
                ["Worker:Lease"] = "00:00:00.300",
                ["Cursors:SweepInterval"] = "00:00:00.050",
                ["Retention:Enabled"] = "true",
                ["Retention:Interval"] = "00:00:01",
            });
            spans.AddTo(builder);
        });

    /// <summary>Waits until the server has run each of these statements often enough: it shows the latest of each connection.</summary>
    private static async Task UntilSeenAsync(TestDatabase database, params string[] names)
    {
        var seen = names.ToDictionary(name => $"-- {name}", _ => new HashSet<DateTime>(), StringComparer.Ordinal);
        await using var connection = await database.Database.OpenSessionAsync(Token);
        while (seen.Values.Any(times => times.Count < Rounds))
        {
            await using var command = new NpgsqlCommand(
                "SELECT split_part(query, E'\\n', 1), query_start FROM pg_stat_activity WHERE datname = current_database() AND query_start IS NOT NULL",
                connection);
            await using var reader = await command.ExecuteReaderAsync(Token);
            while (await reader.ReadAsync(Token))
            {
                if (seen.TryGetValue(reader.GetString(0), out var times))
                {
                    times.Add(reader.GetDateTime(1));
                }
            }
        }
    }
}
