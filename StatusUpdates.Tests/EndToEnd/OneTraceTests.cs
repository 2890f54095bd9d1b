using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Trace;
using StatusUpdates.Tests.Api;
using WorkerProgram = StatusUpdates.Worker.Program;

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>One trace runs from the POST through queue, worker, database and Redis to the send.</summary>
public sealed class OneTraceTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task From_the_POST_to_the_send_there_is_one_trace_and_no_token_in_any_span_or_log()
    {
        var spans = new ConcurrentQueue<Activity>();
        var logs = new CollectedLogs();

        // The client's own span: its trace is the one that has to be found everywhere.
        using var client = new Activity("a client").SetIdFormat(ActivityIdFormat.W3C);
        client.ActivityTraceFlags = ActivityTraceFlags.Recorded;
        client.Start();
        var traceId = client.TraceId;
        var user = $"trace-{Guid.NewGuid():N}";
        var token = TestTokens.Create(user);

        await using (var api = await TestApi.StartAsync(servers, configure: builder => Collect(builder, spans, logs)))
        {
            using var worker = WorkerProgram.Build(new HostApplicationBuilderSettings { EnvironmentName = "Development" }, builder =>
            {
                builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
                {
                    ["ConnectionStrings:statusdb"] = api.Database.ConnectionString,
                    ["ConnectionStrings:redis"] = api.Redis.ConnectionString,
                    ["StatusMessaging:ChannelPrefix"] = api.Redis.ChannelPrefix,
                    ["Results:PublicBaseUrl"] = api.Address.ToString(),
                    ["Worker:Providers:ProductCard:Duration"] = "00:00:00.100",
                });
                Collect(builder, spans, logs);
            });
            await worker.StartAsync(Token);

            using var socket = new ClientWebSocket();
            await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{api.Address.Port}/ws/status?token={token}"), Token);
            var submit = await api.As(user).PostAsJsonAsync("/api/v1/generations", new { type = "product_card", prompt = "one trace" }, Token);
            submit.EnsureSuccessStatusCode();
            while (await ReceiveStatusAsync(socket) != "completed")
            {
            }

            // Stopped, so that every span has ended.
            await worker.StopAsync(Token);
        }

        var trace = spans.Where(span => span.TraceId == traceId).ToList();
        Assert.Contains(trace, span => span.Kind == ActivityKind.Server && span.GetTagItem("http.request.method") is "POST");
        Assert.Contains(trace, span => span.Source.Name == "Npgsql");
        Assert.Contains(trace, span => span.Source.Name == "StatusUpdates.Worker");
        foreach (var status in new[] { "pending", "processing", "completed" })
        {
            Assert.Contains(trace, span => span.OperationName == "publish generation:user" && span.GetTagItem("statusupdates.status") is string s && s == status);
        }

        // Pending, processing, and completed at the least; progress in between.
        Assert.InRange(trace.Count(span => span.OperationName == "send status_update"), 3, 100);
        Assert.DoesNotContain(spans, span => Describe(span).Contains(token, StringComparison.Ordinal));
        Assert.DoesNotContain(logs.Lines, line => line.Contains(token, StringComparison.Ordinal));

        // Nor SQL: every statement of ours names one of these tables.
        Assert.DoesNotContain(spans, span => NamesTable(Describe(span)));
        Assert.DoesNotContain(logs.Lines, NamesTable);
        Assert.NotEmpty(logs.Lines);
    }

    private static bool NamesTable(string text) =>
        text.Contains("user_streams", StringComparison.Ordinal)
        || text.Contains("status_events", StringComparison.Ordinal)
        || text.Contains("FROM generation", StringComparison.Ordinal);

    private static void Collect(IHostApplicationBuilder builder, ConcurrentQueue<Activity> spans, ILoggerProvider logs)
    {
        builder.Services.ConfigureOpenTelemetryTracerProvider(tracing =>
            tracing.AddProcessor(new SimpleActivityExportProcessor(new QueueExporter(spans))));
        builder.Logging.ClearProviders().AddProvider(logs).SetMinimumLevel(LogLevel.Trace);
        builder.Services.PostConfigure<LoggerFilterOptions>(filter =>
        {
            filter.Rules.Clear();
            filter.MinLevel = LogLevel.Trace;
        });
    }

    private static async Task<string?> ReceiveStatusAsync(ClientWebSocket socket)
    {
        var buffer = new byte[64 * 1024];
        var length = 0;
        ValueWebSocketReceiveResult received;
        do
        {
            received = await socket.ReceiveAsync(buffer.AsMemory(length), Token);
            Assert.Equal(WebSocketMessageType.Text, received.MessageType);
            length += received.Count;
        }
        while (!received.EndOfMessage);
        using var message = JsonDocument.Parse(buffer.AsMemory(0, length));
        return message.RootElement.TryGetProperty("payload", out var payload) ? payload.GetProperty("status").GetString() : null;
    }

    private static string Describe(Activity span) => string.Join(
        '\n',
        span.TagObjects.Select(tag => $"{tag.Key}={tag.Value}")
            .Concat(span.Events.SelectMany(e => e.Tags).Select(tag => $"{tag.Key}={tag.Value}"))
            .Concat(span.Baggage.Select(item => $"{item.Key}={item.Value}"))
            .Prepend(span.DisplayName));

    private sealed class QueueExporter(ConcurrentQueue<Activity> spans) : BaseExporter<Activity>
    {
        public override ExportResult Export(in Batch<Activity> batch)
        {
            foreach (var activity in batch)
            {
                spans.Enqueue(activity);
            }

            return ExportResult.Success;
        }
    }

    private sealed class CollectedLogs : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
        {
            Lines.Enqueue($"{state}");
            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue($"{formatter(state, exception)} {exception}");

        public void Dispose()
        {
        }
    }
}
