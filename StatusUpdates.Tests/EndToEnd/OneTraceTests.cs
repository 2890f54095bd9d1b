using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StatusUpdates.Tests.Api;
using WorkerProgram = StatusUpdates.Worker.Program;

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>One trace runs from the POST through queue, worker, database and Redis to the send.</summary>
public sealed class OneTraceTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task From_the_POST_to_the_send_there_is_one_trace_of_named_steps_and_no_token_in_any_span_or_log()
    {
        var spans = new CollectedSpans();
        var logs = new CollectedLogs();
        ActivityTraceId traceId;
        var user = $"trace-{Guid.NewGuid():N}";
        var token = TestTokens.Create(user);

        string? database;
        await using (var api = await TestApi.StartAsync(servers, configure: builder => Collect(builder, spans, logs)))
        {
            database = new Npgsql.NpgsqlConnectionStringBuilder(api.Database.ConnectionString).Database;
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

            // The client's own span: its trace is the one that has to be found everywhere.
            using (var client = new Activity("a client").SetIdFormat(ActivityIdFormat.W3C))
            {
                client.ActivityTraceFlags = ActivityTraceFlags.Recorded;
                client.Start();
                traceId = client.TraceId;
                var submit = await api.As(user).PostAsJsonAsync("/api/v1/generations", new { type = "product_card", prompt = "one trace" }, Token);
                submit.EnsureSuccessStatusCode();
            }

            while (await ReceiveStatusAsync(socket) != "completed")
            {
            }

            // Stopped, so that every span has ended.
            await worker.StopAsync(Token);
        }

        var trace = spans.Of(traceId);
        var post = Assert.Single(trace, span => span.Kind == ActivityKind.Server && span.GetTagItem("http.request.method") is "POST");
        Child(trace, post, "submit", ActivityKind.Client);
        var pending = Child(trace, post, "publish status_update", ActivityKind.Producer, "pending");
        Child(trace, pending, "send status_update", ActivityKind.Producer, "pending");

        var claim = Child(trace, post, "claim", ActivityKind.Client, "processing");
        var processing = Child(trace, claim, "publish status_update", ActivityKind.Producer, "processing");
        Child(trace, processing, "send status_update", ActivityKind.Producer, "processing");

        var process = Child(trace, claim, "process product_card", ActivityKind.Consumer);
        Child(trace, process, "store result", ActivityKind.Client);
        var append = Child(trace, process, "append", ActivityKind.Client, "completed");
        var completed = Child(trace, process, "publish status_update", ActivityKind.Producer, "completed");
        var send = Child(trace, completed, "send status_update", ActivityKind.Producer, "completed");

        // By their times they follow each other as they are told.
        Activity[] story = [post, pending, claim, process, append, completed, send];
        Assert.Equal(story, story.OrderBy(span => span.StartTimeUtc));
        Assert.All(
            trace.Where(span => span.DisplayName == "publish status_update"),
            span => Assert.Equal(("redis", "send", "publish"), (span.GetTagItem("messaging.system"), span.GetTagItem("messaging.operation.type"), span.GetTagItem("messaging.operation.name"))));

        // Names and destinations tell nobody's id, and commands of the Redis client are no spans beside these.
        Assert.DoesNotContain(trace, span => span.DisplayName.Contains(user, StringComparison.Ordinal) || span.DisplayName is "postgresql" or "PUBLISH");
        Assert.DoesNotContain(trace, span => $"{span.GetTagItem("messaging.destination.name")}".Contains(user, StringComparison.Ordinal));
        Assert.DoesNotContain(trace, span => span.Source.Name.Contains("StackExchangeRedis", StringComparison.Ordinal));
        Assert.DoesNotContain(spans.All, span => CollectedSpans.Describe(span).Contains(token, StringComparison.Ordinal));
        Assert.DoesNotContain(logs.Lines, line => line.Contains(token, StringComparison.Ordinal));

        // Nor SQL: every statement of ours names one of these tables. (Other tests of this process look into databases of theirs as they like.)
        Assert.DoesNotContain(
            spans.All, span => (span.GetTagItem("db.namespace") is not string other || other == database) && NamesTable(CollectedSpans.Describe(span)));
        Assert.DoesNotContain(logs.Lines, NamesTable);
        Assert.NotEmpty(logs.Lines);
    }

    /// <summary>The one span of this name, and of this status where one is given, right under its parent.</summary>
    private static Activity Child(IReadOnlyList<Activity> trace, Activity parent, string name, ActivityKind kind, string? status = null)
    {
        var found = trace.Where(span => span.ParentSpanId == parent.SpanId && span.DisplayName == name && span.Kind == kind
            && (status is null || Equals(span.GetTagItem("statusupdates.status"), status))).ToList();
        Assert.True(
            found.Count == 1,
            $"{found.Count} of {name} {status} under {parent.DisplayName}, of:\n\n{string.Join("\n\n", trace.Select(CollectedSpans.Describe))}");
        return found[0];
    }

    private static bool NamesTable(string text) =>
        text.Contains("user_streams", StringComparison.Ordinal)
        || text.Contains("status_events", StringComparison.Ordinal)
        || text.Contains("FROM generation", StringComparison.Ordinal);

    private static void Collect(IHostApplicationBuilder builder, CollectedSpans spans, ILoggerProvider logs)
    {
        spans.AddTo(builder);
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
