using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Data;

/// <summary>Durable cursors of the kind <c>test</c> and logs that they follow.</summary>
internal sealed class CursorScene : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, string> _generations = new(StringComparer.Ordinal);
    private readonly StatusPublisher _publisher;

    private CursorScene(TestDatabase database, TestRedis redis)
    {
        Database = database;
        Redis = redis;
        _publisher = new StatusPublisher(redis.Connection, redis.Options);
    }

    public TestDatabase Database { get; }

    public TestRedis Redis { get; }

    public static async Task<CursorScene> CreateAsync(TestServers servers) =>
        new(await servers.CreateDatabaseAsync(TestTime.Token), await servers.ConnectRedisAsync());

    public Task AddCursorAsync(string owner, string userId) => Database.ExecuteAsync(
        $"""
        INSERT INTO durable_cursors (owner, kind, user_id, last_seq, paused, troubled, epoch, nudges)
        VALUES ('{owner}', 'test', '{userId}', COALESCE((SELECT last_seq FROM user_streams WHERE user_id = '{userId}'), 0), false, false, 0, 0)
        """,
        TestTime.Token);

    /// <summary>Appends to a user's log: first a submission, then its progress.</summary>
    public async Task AppendAsync(string userId, int count, bool announce = true)
    {
        var updates = new List<StatusUpdate>();
        if (!_generations.TryGetValue(userId, out var generation))
        {
            var submitted = await Database.SubmitAsync(userId, cancellationToken: TestTime.Token);
            _generations[userId] = generation = submitted.Generation.Id;
            updates.Add(submitted.Update!);
            await Database.ExecuteAsync($"UPDATE generations SET status = 'processing', attempt = 1 WHERE id = '{generation}'", TestTime.Token);
        }

        while (updates.Count < count)
        {
            var result = await Database.Log.AppendAsync(
                new StatusChange { GenerationId = generation, UserId = userId, Status = GenerationStatus.Processing, Attempt = 1 }, TestTime.Token);
            updates.Add(result.Update ?? throw new InvalidOperationException("The log refused the update."));
        }

        if (announce)
        {
            await _publisher.TryPublishAsync(updates);
        }
    }

    public async Task<StartedRunner> StartAsync(ICursorConsumer consumer, CursorOptions? options = null)
    {
        var runner = new CursorRunner(
            consumer,
            new CursorStore(Database.Database),
            Database.Log,
            new StatusSubscriber(Redis.Connection, Redis.Options),
            options ?? new CursorOptions { SweepInterval = TimeSpan.FromMilliseconds(50) },
            TimeProvider.System,
            NullLogger<CursorRunner>.Instance);
        await runner.StartAsync(TestTime.Token);
        return new StartedRunner(runner);
    }

    public async ValueTask DisposeAsync()
    {
        await Redis.DisposeAsync();
        await Database.DisposeAsync();
    }

    internal sealed class StartedRunner(CursorRunner runner) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await runner.StopAsync(CancellationToken.None);
            runner.Dispose();
        }
    }
}

/// <summary>Records the seqs that it reads, by cursor owner.</summary>
internal sealed class RecordingConsumer : ICursorConsumer
{
    private readonly ConcurrentDictionary<string, ConcurrentQueue<long>> _recorded = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _running = new(StringComparer.Ordinal);

    public RecordingConsumer() => Run = RecordAllAsync;

    public string Kind => "test";

    public Func<HeldCursor, CancellationToken, Task> Run { get; set; }

    public ConcurrentQueue<string> Resyncs { get; } = [];

    public bool WasRunConcurrently { get; private set; }

    public IReadOnlyList<long> Recorded(string owner) => [.. _recorded.GetValueOrDefault(owner) ?? []];

    public async Task RunAsync(HeldCursor cursor, CancellationToken stopping)
    {
        WasRunConcurrently |= !_running.TryAdd(cursor.Owner, true);
        try
        {
            await Run(cursor, stopping);
        }
        finally
        {
            _running.TryRemove(cursor.Owner, out _);
        }
    }

    public async Task RecordAllAsync(HeldCursor cursor, CancellationToken stopping)
    {
        while (true)
        {
            var page = await cursor.ReadAsync(2, stopping);
            if (!page.Continues(cursor.Position))
            {
                Resyncs.Enqueue(cursor.Owner);
                await cursor.SaveAsync(new CursorSave(page.Bounds.Head));
                continue;
            }

            foreach (var update in page.Items)
            {
                _recorded.GetOrAdd(cursor.Owner, _ => []).Enqueue(update.Seq!.Value);
                await cursor.SaveAsync(new CursorSave(update.Position!.Value));
            }

            if (page.Items.Count == 0)
            {
                _running.TryRemove(cursor.Owner, out _);
                await cursor.SaveAsync(new CursorSave(cursor.Position) { Release = true });
                return;
            }
        }
    }
}
