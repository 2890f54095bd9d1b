using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net.WebSockets;
using Microsoft.Extensions.Hosting;
using Npgsql;
using StatusUpdates.SampleProviders.Providers;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Bot;
using StatusUpdates.Tests.Scenarios;
using StatusUpdates.Worker;

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>The list of traces shows what users do. Work started by timers creates a trace only if it finds something to do or fails.</summary>
[Collection(WholeMachine.Name)]
public sealed class IdleTraceTests(TestServers servers)
{
    // Runs of each kind to wait for: anything that creates a trace per run would have created this many.
    private const int Rounds = 5;

    private static readonly string[] HealthPaths = ["/alive", "/health"];

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
        string database;
        await using var telegram = await FakeTelegram.StartAsync();
        await using (var api = await TestApi.StartAsync(
            servers,
            new Dictionary<string, string?> { ["Gateway:Feeds:SweepInterval"] = "00:00:00.050" },
            configure: spans.AddTo))
        {
            port = api.Address.Port;
            database = new NpgsqlConnectionStringBuilder(api.Database.ConnectionString).Database!;
            using var one = Worker(api, spans);
            using var other = Worker(api, spans);
            await one.StartAsync(Token);
            await other.StartAsync(Token);
            await using var bot = await TestBot.StartAsync(
                api.Database, api.Redis, telegram.Address, spans.AddTo, ("Telegram:PollTimeout", "00:00:01"));

            // A connection opens a user's feed, which gives the sweep something to do.
            using var socket = new ClientWebSocket();
            await socket.ConnectAsync(
                new Uri($"ws://127.0.0.1:{api.Address.Port}/ws/status?token={TestTokens.Create("idle")}"), Token);

            await UntilSeenAsync(api.Database, "claim", "extend leases", "claim cursors", "read heads");
            await Eventually.TrueAsync(() => Volatile.Read(ref passes) >= 2 && telegram.Polls >= 2);
            for (var i = 0; i < Rounds; i++)
            {
                using var health = await api.Anonymous.GetAsync("/health", Token);
                health.EnsureSuccessStatusCode();
            }

            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Token);
            await one.StopAsync(Token);
            await other.StopAsync(Token);
        }

        // Only this test calls the API, and its HTTP client records spans as well. So do the health checks of an app host that other tests left running.
        bool IsOfTests(Activity span) => span.Source.Name == "System.Net.Http"
            && (Equals(span.GetTagItem("server.port"), port) || (span.GetTagItem("url.full") is string url && HealthPaths.Contains(new Uri(url).AbsolutePath)));

        // A request may have a trace: the test's own (the socket) or one to the fake Telegram server. Spans of such a trace do not count.
        var requests = spans.All.Where(span => span.Kind == ActivityKind.Server).Select(span => span.TraceId).ToHashSet();
        Assert.Contains(spans.All, span => span.Kind == ActivityKind.Server && Equals(span.GetTagItem("url.path"), "/ws/status"));
        Assert.DoesNotContain(spans.All, span => Equals(span.GetTagItem("url.path"), "/health"));
        var rest = spans.WithoutOtherDatabases(database)
            .Where(span => !requests.Contains(span.TraceId) && !IsOfTests(span))
            .Select(CollectedSpans.Describe)
            .ToList();
        Assert.True(rest.Count == 0, string.Join("\n\n", rest));
    }

    private static IHost Worker(TestApi api, CollectedSpans spans) => WorkerProgram.Build(
        new HostApplicationBuilderSettings { EnvironmentName = "Development" },
        builder =>
        {
            builder.Set(new Dictionary<string, string?>(TestSettings.Of(api.Database, api.Redis))
            {
                ["Results:PublicBaseUrl"] = api.Address.ToString(),
                ["Worker:PollInterval"] = "00:00:00.050",
                ["Worker:Lease"] = "00:00:00.300",
                ["Cursors:SweepInterval"] = "00:00:00.050",
                ["Retention:Enabled"] = "true",
                ["Retention:Interval"] = "00:00:01",
            });
            spans.AddTo(builder);
            builder.AddSampleProviders();
        });

    /// <summary>Waits until each of these statements has run often enough. The server shows only the latest statement of each connection.</summary>
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
