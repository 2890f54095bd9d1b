using System.Threading.Channels;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Worker;

/// <summary>A database, a Redis prefix, the updates announced there, and a user who submits.</summary>
internal sealed class WorkerScene : IAsyncDisposable
{
    private readonly Channel<StatusUpdate> _announced = Channel.CreateBounded<StatusUpdate>(100_000);
    private StatusSubscription? _subscription;

    private WorkerScene(TestDatabase database, TestRedis redis)
    {
        Database = database;
        Redis = redis;
        Publisher = new StatusPublisher(redis.Connection, redis.Options);
    }

    public TestDatabase Database { get; }

    public TestRedis Redis { get; }

    public StatusPublisher Publisher { get; }

    public static async Task<WorkerScene> CreateAsync(TestServers servers)
    {
        var token = TestTime.Token;
        var scene = new WorkerScene(await servers.CreateDatabaseAsync(token), await servers.ConnectRedisAsync());
        scene._subscription = await new StatusSubscriber(scene.Redis.Connection, scene.Redis.Options).SubscribeAllAsync(
            update => Assert.True(scene._announced.Writer.TryWrite(update)), token);
        Assert.True(scene._subscription.IsAcknowledged);
        return scene;
    }

    /// <summary>Submits and announces, as the API does.</summary>
    public async Task<string> SubmitAsync(
        string task = "product_card",
        string prompt = "Product card: clean",
        string? options = null,
        string userId = "u",
        string? traceParent = null,
        DateTimeOffset? deadline = null,
        string? type = null)
    {
        var result = await Database.CreateCommands().SubmitAsync(
            new Submission
            {
                UserId = userId,
                Type = type ?? GenerationTypes.Default.TypeOf(task)!.Name,
                Task = task,
                Prompt = prompt,
                Options = options,
                TraceParent = traceParent,
                Deadline = deadline,
            },
            TestTime.Token);
        await Publisher.TryPublishAsync([result.Update!]);
        return result.Generation.Id;
    }

    /// <summary>Cancels and publishes the hint, as the API does.</summary>
    public async Task CancelAsync(string id)
    {
        var result = await Database.CreateCommands().CancelAsync("u", id, cancellationToken: TestTime.Token);
        Assert.Equal(CancelOutcome.Requested, result.Outcome);
        await Publisher.TryPublishCancelRequestAsync(id);
    }

    /// <summary>Waits until this status of this generation is announced.</summary>
    public async Task<StatusUpdate> WaitForAsync(string id, GenerationStatus status)
    {
        using var limit = new CancellationTokenSource(TestTime.Patience);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, TestTime.Token);
        while (true)
        {
            var update = await _announced.Reader.ReadAsync(either.Token);
            if (update.GenerationId == id && update.Status == status)
            {
                return update;
            }
        }
    }

    /// <summary>Waits until this status of this attempt is in the log. For tests that pause a process, when announcements may be lost.</summary>
    public Task WaitForLoggedAsync(string id, GenerationStatus status, int attempt) => Eventually.TrueAsync(
        async () => (await ReadLogAsync()).Any(update => update.GenerationId == id && update.Status == status && update.Metadata?.Attempt == attempt),
        everyMilliseconds: 50);

    public async Task<Generation> FindAsync(string id, string userId = "u") =>
        (await Database.CreateQueries().FindAsync(userId, id, TestTime.Token))!;

    public async Task<IReadOnlyList<StatusUpdate>> ReadLogAsync(string userId = "u") =>
        (await Database.Log.ReadAfterAsync(userId, 0, 10_000, TestTime.Token)).Items;

    /// <summary>Expires every lease, as the passing of time would.</summary>
    public Task ExpireLeasesAsync() => Database.ExpireLeasesAsync();

    public async ValueTask DisposeAsync()
    {
        if (_subscription is not null)
        {
            await _subscription.DisposeAsync();
        }

        await Redis.DisposeAsync();
        await Database.DisposeAsync();
    }
}
