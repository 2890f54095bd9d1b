using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenTelemetry;
using OpenTelemetry.Trace;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Bot;

public sealed class BotHostTests(TestServers servers)
{
    private const long Chat = 7;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task The_token_never_appears_in_a_log_or_span_and_a_notification_is_part_of_its_updates_trace()
    {
        await using var scene = await BotScene.CreateAsync(servers);
        await scene.LinkAsync("alice", Chat);
        var logs = new CollectedLogs();
        var spans = new ConcurrentQueue<Activity>();
        foreach (var reply in new[]
        {
            FakeReply.ServerError, FakeReply.BadGateway, new FakeReply.CloseBefore(), new FakeReply.CloseAfter(), new FakeReply.Hang(),
            new FakeReply.Error(401, "Unauthorized"), FakeReply.RetryAfter(1), FakeReply.BadRequest("something"),
        })
        {
            scene.Telegram.Next(reply);
        }

        var trace = ActivityTraceId.CreateRandom();
        await using (await scene.StartBotAsync(
            builder =>
            {
                builder.Logging.SetMinimumLevel(LogLevel.Trace).AddProvider(logs);
                builder.Services.PostConfigure<LoggerFilterOptions>(options =>
                {
                    options.Rules.Clear();
                    options.MinLevel = LogLevel.Trace;
                });
                builder.Services.ConfigureOpenTelemetryTracerProvider(
                    tracing => tracing.AddProcessor(new SimpleActivityExportProcessor(new QueueExporter(spans))));
            },
            ("Telegram:RequestTimeout", "00:00:00.500"),
            ("Telegram:PollTimeout", "00:00:01")))
        {
            var id = await scene.SubmitAsync(traceParent: $"00-{trace}-{ActivitySpanId.CreateRandom()}-01");
            await scene.ProcessAsync(id);
            await scene.ChangeAsync(id, GenerationStatus.Completed, c => c with { ResultUrls = ["https://example.com/1.png"] });
            await scene.UntilNotifiedAsync(Chat);
            scene.Telegram.Say(Chat, "/status");
            await scene.Telegram.WaitForAsync(1, call => call.Text?.Contains(": completed", StringComparison.Ordinal) == true);
            await scene.Telegram.StopAsync();
            await scene.SubmitAsync();
            await Eventually.TrueAsync(() => logs.Lines.Any(line => line.Contains("Connection refused", StringComparison.Ordinal)));
        }

        Assert.Contains(logs.Lines, line => line.Contains("Telegram did not accept a message for telegram-123456789:7", StringComparison.Ordinal));
        Assert.DoesNotContain(logs.Lines, ShowsToken);
        Assert.Contains(spans, span => span.TraceId == trace && span.OperationName == "notify telegram");
        Assert.Contains(spans, span => span.TraceId == trace && span.OperationName == "telegram sendMessage");
        Assert.DoesNotContain(
            spans, span => span.Source.Name == "System.Net.Http" && Equals(span.GetTagItem("server.port"), scene.Telegram.Address.Port));

        // Except the spans of the fake server, which runs in this process too.
        foreach (var span in spans.Where(span => span.Source.Name != "Microsoft.AspNetCore"))
        {
            Assert.False(ShowsToken($"{span.DisplayName} {span.StatusDescription}"));
            Assert.DoesNotContain(span.TagObjects, tag => ShowsToken($"{tag.Value}"));
            Assert.DoesNotContain(span.Events.SelectMany(e => e.Tags), tag => ShowsToken($"{tag.Value}"));
        }
    }

    [Theory]
    [InlineData("Telegram:Token", "", "Telegram:Token must be a bot's token as @BotFather gives it")]
    [InlineData("Telegram:Token", "hush-hush", "Telegram:Token must be a bot's token as @BotFather gives it")]
    [InlineData("Telegram:BaseUrl", "ftp://example.com", "Telegram:BaseUrl must be an absolute http or https address")]
    [InlineData("Telegram:BaseUrl", "http://example.com/path", "Telegram:BaseUrl must be an absolute http or https address")]
    [InlineData("Telegram:BaseUrl", "", "Telegram:BaseUrl must be an absolute http or https address")]
    [InlineData("Telegram:MessagesPerSecond", "-1", "Telegram:MessagesPerSecond must be between 0 and 1000.")]
    [InlineData("Telegram:MessagesPerSecond", "1001", "Telegram:MessagesPerSecond must be between 0 and 1000.")]
    [InlineData("Telegram:Chats", "5", "Telegram:Chats is not a setting; those of Telegram are BaseUrl, BotName,")]
    [InlineData("Telegram:ResultNetworks:0", "10.0.0.0", "Telegram:ResultNetworks must be networks in CIDR notation")]
    public async Task A_setting_out_of_range_fails_the_start_with_an_error_that_names_it(string key, string value, string message)
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();

        var failure = await Assert.ThrowsAnyAsync<OptionsValidationException>(async () =>
        {
            using var host = TestBot.Build(database, redis, new Uri("http://127.0.0.1:1"), null, (key, value));
            await host.StartAsync(Token);
        });

        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush-hush", failure.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_shutdown_leaves_time_for_the_longest_request()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        using var host = TestBot.Build(database, redis, new Uri("http://127.0.0.1:1"), null);
        Assert.Equal(TimeSpan.FromSeconds(75), host.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout);
    }

    private static bool ShowsToken(string text) =>
        text.Contains("secret_token_of_the_bot", StringComparison.Ordinal) || text.Contains("123456789:AAF", StringComparison.Ordinal);

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
}
