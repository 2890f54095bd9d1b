using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Egress;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Worker;
using StatusUpdates.Webhooks.Keys;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Tests.Webhooks;

/// <summary>Registered webhooks, generations whose updates they get, and workers that deliver.</summary>
internal sealed class WebhookScene : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly StatusPublisher _publisher;

    private WebhookScene(TestDatabase database, TestRedis redis)
    {
        Database = database;
        Webhooks = new WebhookStore(database.Database);
        Redis = redis;
        _publisher = new StatusPublisher(redis.Connection, redis.Options);
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(database.Database);
        services.AddSigningKeyProtector();
        _services = services.BuildServiceProvider();
    }

    /// <summary>Settings that make retries take milliseconds and allow loopback.</summary>
    public static (string Key, string Value)[] Settings =>
    [
        ("Webhooks:Delivery:Enabled", "true"),
        ("Webhooks:AllowedNetworks:0", "127.0.0.0/8"),
        ("Cursors:SweepInterval", "00:00:00.05"),
        .. Enumerable.Range(0, 9).Select(i => ($"Webhooks:Delivery:RetryDelays:{i}", "00:00:00.05")),
    ];

    public TestDatabase Database { get; }

    public TestRedis Redis { get; }

    public WebhookStore Webhooks { get; }

    public static async Task<WebhookScene> CreateAsync(TestServers servers)
    {
        var scene = new WebhookScene(await servers.CreateDatabaseAsync(TestTime.Token), await servers.ConnectRedisAsync());

        // Generations that are submitted are never due: a test's own updates of them are the only ones.
        await scene.Database.ExecuteAsync(
            """
            CREATE FUNCTION never_due() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.run_at := now() + interval ''1 day''; RETURN NEW; END';
            CREATE TRIGGER never_due BEFORE INSERT ON generations FOR EACH ROW EXECUTE FUNCTION never_due();
            """,
            TestTime.Token);
        return scene;
    }

    /// <summary>Starts a worker that delivers; it has no providers. The given settings take precedence.</summary>
    public Task<TestWorker> StartWorkerAsync(params (string Key, string Value)[] settings) =>
        TestWorker.StartWithAsync(Database, Redis, _ => { }, With(settings));

    /// <summary>Like the other overload, with the test's own host resolver.</summary>
    public Task<TestWorker> StartWorkerAsync(IHostResolver resolver, params (string Key, string Value)[] settings) =>
        TestWorker.StartWithAsync(Database, Redis, builder => builder.Services.AddSingleton(resolver), With(settings));

    /// <summary><see cref="Settings"/>, with a test's overrides.</summary>
    public static (string Key, string Value)[] With(params (string Key, string Value)[] settings) =>
        [.. Settings.Concat(settings).GroupBy(s => s.Key).Select(s => s.Last())];

    /// <summary>Registers a webhook, which gets the updates from now on.</summary>
    public async Task<(string Id, SigningKeys Keys)> RegisterAsync(
        string url, string userId = "u", string[]? statuses = null, string[]? types = null)
    {
        var id = WebhookIds.NewWebhook();
        var keys = SigningKeys.Create();
        var webhook = new Webhook
        {
            Id = id,
            UserId = userId,
            Url = url,
            Statuses = statuses,
            Types = types,
            SigningKeys = _services.GetRequiredService<SigningKeyProtector>().Protect(id, keys),
            CreatedAt = default,
            UpdatedAt = default,
        };
        Assert.NotNull((await Webhooks.CreateAsync(webhook, new(PerUser: 100, PerUrl: 100), TestTime.Token)).At);
        return (id, keys);
    }

    /// <summary>Submits a generation that is running: its <c>pending</c> is in the log, and updates can be appended.</summary>
    public async Task<string> SubmitAsync(string userId = "u", string type = "product_card")
    {
        var submitted = await Database.SubmitAsync(userId, type, cancellationToken: TestTime.Token);
        await Database.ExecuteAsync(
            $"UPDATE generations SET status = 'processing', attempt = 1, lease_owner = 'test', lease_expires_at = now() + interval '1 day' WHERE id = '{submitted.Generation.Id}'",
            TestTime.Token);
        await _publisher.TryPublishAsync([submitted.Update!]);
        return submitted.Generation.Id;
    }

    /// <summary>Appends updates of a generation and announces them.</summary>
    public async Task<StatusUpdate> AppendAsync(
        string generationId, GenerationStatus status = GenerationStatus.Processing, int count = 1, string userId = "u", string? traceParent = null)
    {
        AppendResult result = null!;
        for (var i = 0; i < count; i++)
        {
            result = await Database.Log.AppendAsync(
                new StatusChange { GenerationId = generationId, UserId = userId, Status = status, Attempt = 1, TraceParent = traceParent }, TestTime.Token);
            await _publisher.TryPublishAsync([result.Update ?? throw new InvalidOperationException($"Refused: {result.Refusal}")]);
        }

        return result.Update!;
    }

    public async Task<IReadOnlyList<StatusUpdate>> ReadLogAsync(string userId = "u") =>
        (await Database.Log.ReadAfterAsync(userId, 0, 100_000, TestTime.Token)).Items;

    /// <summary>Enables a webhook, as its owner would.</summary>
    public Task EnableAsync(string webhookId) => ChangeAsync(webhookId, new() { Enabled = true });

    /// <summary>Changes a webhook, as its owner would.</summary>
    public async Task ChangeAsync(string webhookId, WebhookChange change, string userId = "u") =>
        Assert.Equal(WebhookUpdate.Changed, await Webhooks.UpdateAsync(userId, webhookId, change, maxPerUrl: 100, TestTime.Token));

    /// <summary>Replaces a webhook's keys with new ones; the old ones are no longer valid.</summary>
    public async Task<SigningKeys> RotateAsync(string webhookId, string userId = "u")
    {
        var known = (await Database.ScalarAsync<byte[]>($"SELECT signing_keys FROM webhooks WHERE id = '{webhookId}'", TestTime.Token))!;
        var keys = SigningKeys.Create();
        var stored = _services.GetRequiredService<SigningKeyProtector>().Protect(webhookId, keys);
        Assert.NotNull(await Webhooks.ReplaceKeysAsync(userId, webhookId, known, stored, TestTime.Token));
        return keys;
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await Redis.DisposeAsync();
        await Database.DisposeAsync();
    }
}
