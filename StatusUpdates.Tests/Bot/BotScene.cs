using Microsoft.Extensions.Hosting;
using StatusUpdates.Bot.Notifications;
using StatusUpdates.ChatLinks;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Bot;

/// <summary>A database, a Redis prefix, a fake Telegram, linked chats, and changing generations.</summary>
internal sealed class BotScene : IAsyncDisposable
{
    private readonly StatusPublisher _publisher;

    private BotScene(TestDatabase database, TestRedis redis, FakeTelegram telegram)
    {
        Database = database;
        Redis = redis;
        Telegram = telegram;
        Links = new TelegramLinkStore(database.Database);
        Codes = new TelegramLinkCodes(database.Database);
        _publisher = new StatusPublisher(redis.Connection, redis.Options);
    }

    public TestDatabase Database { get; }

    public TestRedis Redis { get; }

    public FakeTelegram Telegram { get; }

    public TelegramLinkStore Links { get; }

    public TelegramLinkCodes Codes { get; }

    public static async Task<BotScene> CreateAsync(TestServers servers) =>
        new(await servers.CreateDatabaseAsync(TestTime.Token), await servers.ConnectRedisAsync(), await FakeTelegram.StartAsync());

    /// <summary>With the test's own Redis, which can be stopped.</summary>
    public static async Task<BotScene> CreateAsync(TestServers servers, string redis) =>
        new(await servers.CreateDatabaseAsync(TestTime.Token), await TestRedis.ConnectAsync(redis), await FakeTelegram.StartAsync());

    public Task<TestBot> StartBotAsync(params (string Key, string Value)[] settings) => StartBotAsync(null, settings);

    public Task<TestBot> StartBotAsync(Action<IHostApplicationBuilder>? configure, params (string Key, string Value)[] settings) =>
        TestBot.StartAsync(Database, Redis, Telegram.Address, configure, settings);

    public async Task<string> CodeAsync(string userId) =>
        (await Codes.IssueAsync(userId, TimeSpan.FromMinutes(10), 100, 100, TestTime.Token)).Code!.Text;

    public async Task LinkAsync(string userId, long chatId) =>
        Assert.Equal(userId, await Links.LinkAsync(await CodeAsync(userId), FakeTelegram.BotId, chatId, null, null, TestTime.Token));

    /// <summary>Submits a generation, which becomes pending.</summary>
    public async Task<string> SubmitAsync(string userId = "alice", string? traceParent = null, string type = "product_card")
    {
        var result = await Database.CreateCommands().SubmitAsync(
            new Submission
            {
                UserId = userId,
                Type = type,
                Task = "product_card",
                Prompt = "a prompt",
                TraceParent = traceParent,
            },
            TestTime.Token);
        await _publisher.TryPublishAsync([result.Update!]);
        return result.Generation.Id;
    }

    /// <summary>Starts an attempt by a claim: the generation becomes processing.</summary>
    public async Task ProcessAsync(string generationId)
    {
        await Database.ExecuteAsync($"UPDATE generations SET run_at = now() WHERE id = '{generationId}'", TestTime.Token);
        var claimed = await Database.ClaimAsync(100, lease: TimeSpan.FromHours(1), cancellationToken: TestTime.Token);
        Assert.Contains(claimed.Claimed, claim => claim.Id == generationId);
        await _publisher.TryPublishAsync(claimed.Updates);
    }

    /// <summary>Like <see cref="ProcessAsync"/>, but for this generation only, whatever else there is to claim.</summary>
    public async Task BeginAsync(string generationId)
    {
        await Database.ExecuteAsync($"UPDATE generations SET status = 'processing', attempt = 1 WHERE id = '{generationId}'", TestTime.Token);
        await ChangeAsync(generationId, GenerationStatus.Processing);
    }

    /// <summary>Changes a generation that is processing.</summary>
    public async Task ChangeAsync(string generationId, GenerationStatus status, Func<StatusChange, StatusChange>? with = null)
    {
        var attempt = await Database.ScalarAsync<int>($"SELECT attempt FROM generations WHERE id = '{generationId}'", TestTime.Token);
        if (status == GenerationStatus.Canceled)
        {
            await Database.ExecuteAsync($"UPDATE generations SET cancel_requested_at = now() WHERE id = '{generationId}'", TestTime.Token);
        }

        var change = new StatusChange { GenerationId = generationId, Status = status, Attempt = attempt };
        var result = await Database.Log.AppendAsync(with?.Invoke(change) ?? change, TestTime.Token);
        Assert.NotNull(result.Update);
        await _publisher.TryPublishAsync([result.Update]);
    }

    public Task ProgressAsync(string generationId, int progress) =>
        ChangeAsync(generationId, GenerationStatus.Processing, change => change with { Progress = progress });

    /// <summary>The first line and the tag of a message about a product card.</summary>
    public static string Line(string status, string generationId) =>
        $"Your product_card generation is {status}! {NotificationText.TagOf(generationId)}";

    /// <summary>What was accepted for a chat, in order: first line and tag of each new text, <c>edit</c>, <c>photo</c> and <c>document</c>.</summary>
    public IReadOnlyList<string> Accepted(long chatId) =>
        [.. Telegram.Calls.Where(call => call.ChatId == chatId && call.IsAccepted).Select(Describe)];

    /// <summary>Waits until the chat's cursor is at the head of its user's log and not leased.</summary>
    public Task UntilNotifiedAsync(long chatId) => Database.UntilAsync(
        $"""
        SELECT c.lease_expires_at IS NULL AND c.last_seq = COALESCE((SELECT last_seq FROM user_streams s WHERE s.user_id = c.user_id), 0)
        FROM durable_cursors c WHERE owner = '{TelegramLinkStore.CursorOwner(FakeTelegram.BotId, chatId)}'
        """);

    public async ValueTask DisposeAsync()
    {
        await Telegram.DisposeAsync();
        await Redis.DisposeAsync();
        await Database.DisposeAsync();
    }

    public static string Describe(FakeCall call) => call.Method switch
    {
        "sendMessage" => string.Join(' ', call.Text!.Split('\n').Where(line => line.EndsWith('!') || line.StartsWith('#')).DefaultIfEmpty(call.Text)),
        "editMessageText" => "edit",
        "sendVideo" => $"video {call.FileName} of {call.File!.Length} bytes",
        "sendPhoto" => call.File is null ? $"photo {call.Photo}" : $"photo of {call.File.Length} bytes",
        _ => $"document {call.FileName}",
    };
}
