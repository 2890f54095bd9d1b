using System.Diagnostics;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StatusUpdates.SampleProviders.Providers;
using StatusUpdates.Tests.Api;
using StatusUpdates.Worker;

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>One trace runs from the POST through queue, worker, database and Redis to the send.</summary>
public sealed class OneTraceTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task One_trace_of_named_steps_leads_from_the_POST_to_the_send_and_no_span_or_log_contains_a_token()
    {
        var spans = new CollectedSpans();
        using var apiLogs = new CollectedLogs();
        using var workerLogs = new CollectedLogs();
        ActivityTraceId traceId;
        var user = $"trace-{Guid.NewGuid():N}";
        var token = TestTokens.Create(user);

        string database;
        await using (var api = await TestApi.StartAsync(servers, configure: builder => Collect(builder, spans, apiLogs)))
        {
            database = new Npgsql.NpgsqlConnectionStringBuilder(api.Database.ConnectionString).Database!;
            using var worker = WorkerProgram.Build(new HostApplicationBuilderSettings { EnvironmentName = "Development" }, builder =>
            {
                builder.Set(new Dictionary<string, string?>(TestSettings.Of(api.Database, api.Redis))
                {
                    ["Results:PublicBaseUrl"] = api.Address.ToString(),
                    ["Worker:Providers:ProductCard"] = "00:00:00.100",
                });
                Collect(builder, spans, workerLogs);
                builder.AddSampleProviders();
            });
            await worker.StartAsync(Token);

            using var socket = new ClientWebSocket();
            await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{api.Address.Port}/ws/status?token={token}"), Token);

            // The client's own span: its trace must be found everywhere.
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

            // After the stop, every span has ended.
            await worker.StopAsync(Token);
        }

        var trace = spans.Of(traceId);
        var post = Assert.Single(trace, span => span.Kind == ActivityKind.Server && span.GetTagItem("http.request.method") is "POST");
        Child(trace, post, "submit", ActivityKind.Client);
        var pending = Child(trace, post, "publish status_update", ActivityKind.Producer, "pending");
        Sent(trace, pending, "pending");

        var claim = Child(trace, post, "claim", ActivityKind.Client, "processing");
        var processing = Child(trace, claim, "publish status_update", ActivityKind.Producer, "processing");
        Sent(trace, processing, "processing");

        var process = Child(trace, claim, "process product_card", ActivityKind.Consumer);
        Child(trace, process, "store result", ActivityKind.Client);
        var append = Child(trace, process, "append", ActivityKind.Client, "completed");
        var completed = Child(trace, process, "publish status_update", ActivityKind.Producer, "completed");
        Sent(trace, completed, "completed");

        // By start time, the steps follow each other in this order. A claim that was running when the generation came may have taken it.
        Assert.True(post.StartTimeUtc <= pending.StartTimeUtc);
        Assert.True(post.StartTimeUtc <= claim.StartTimeUtc + claim.Duration);
        Activity[] expectedOrder = [claim, process, append, completed];
        Assert.Equal(expectedOrder, expectedOrder.OrderBy(span => span.StartTimeUtc));
        Assert.All(
            trace.Where(span => span.DisplayName == "publish status_update"),
            span => Assert.Equal(("redis", "send", "publish"), (span.GetTagItem("messaging.system"), span.GetTagItem("messaging.operation.type"), span.GetTagItem("messaging.operation.name"))));

        // Names and destinations contain no user id, and the Redis client adds no spans of its own for its commands.
        Assert.DoesNotContain(trace, span => span.DisplayName.Contains(user, StringComparison.Ordinal) || span.DisplayName is "postgresql" or "PUBLISH");
        Assert.DoesNotContain(trace, span => $"{span.GetTagItem("messaging.destination.name")}".Contains(user, StringComparison.Ordinal));
        Assert.DoesNotContain(trace, span => span.Source.Name.Contains("StackExchangeRedis", StringComparison.Ordinal));
        Assert.DoesNotContain(spans.All, span => CollectedSpans.Describe(span).Contains(token, StringComparison.Ordinal));
        string[] logs = [.. apiLogs.Lines, .. workerLogs.Lines];
        Assert.DoesNotContain(logs, line => line.Contains(token, StringComparison.Ordinal));

        // No SQL either: every statement of ours names one of these tables. (Other tests in this process may query their own databases.)
        Assert.DoesNotContain(spans.WithoutOtherDatabases(database), span => NamesTable(CollectedSpans.Describe(span)));
        Assert.DoesNotContain(logs, NamesTable);
        Assert.NotEmpty(apiLogs.Lines);
        Assert.NotEmpty(workerLogs.Lines);
    }

    /// <summary>The only span with this name, and with this status if one is given, directly under its parent.</summary>
    private static Activity Child(IReadOnlyList<Activity> trace, Activity parent, string name, ActivityKind kind, string? status = null)
    {
        var found = trace.Where(span => span.ParentSpanId == parent.SpanId && span.DisplayName == name && span.Kind == kind
            && (status is null || Equals(span.GetTagItem("statusupdates.status"), status))).ToList();
        Assert.True(
            found.Count == 1,
            $"{found.Count} of {name} {status} under {parent.DisplayName}, of:\n\n{string.Join("\n\n", trace.Select(CollectedSpans.Describe))}");
        return found[0];
    }

    /// <summary>A send span is under the update's publish span; but if the feeds' sweep reads the log first, it is not.</summary>
    private static void Sent(IReadOnlyList<Activity> trace, Activity publish, string status)
    {
        var sends = trace.Where(span => span.DisplayName == "send status_update" && Equals(span.GetTagItem("statusupdates.status"), status)).ToList();
        Assert.NotEmpty(sends);
        Assert.All(sends, send => Assert.Equal(ActivityKind.Producer, send.Kind));
        if (!trace.Any(span => span.DisplayName == "read log"))
        {
            Assert.True(publish.StartTimeUtc <= Assert.Single(sends, send => send.ParentSpanId == publish.SpanId).StartTimeUtc);
        }
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
}
