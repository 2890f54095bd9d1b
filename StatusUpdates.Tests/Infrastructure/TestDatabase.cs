using Microsoft.EntityFrameworkCore;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;
using StatusUpdates.ResultStore;
using StatusUpdates.ResultStore.Contents;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>The database of one test, with the data layer on top of it. Dropped on disposal.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    /// <summary>How many counts of generations differ from the rows: 0 at every moment, because one snapshot shows both.</summary>
    public const string WrongCountsSql =
        """
        SELECT count(*)
        FROM (SELECT user_id, type, status, count(*) AS rows FROM generations GROUP BY 1, 2, 3) g
        FULL JOIN generation_counts c USING (user_id, type, status)
        WHERE COALESCE(g.rows, 0) <> COALESCE(c.count, 0)
        """;

    // A test may hold a lock until what it waits for has happened, however long that takes.
    private static readonly StatusDatabaseOptions Options = new() { IdleInTransactionTimeout = TimeSpan.FromHours(1) };

    private readonly TestCluster? _cluster;
    private readonly string _name;

    internal TestDatabase(TestCluster cluster, string name)
        : this(cluster, name, cluster.ConnectionStringFor(name))
    {
    }

    private TestDatabase(TestCluster? cluster, string name, string connectionString)
    {
        _cluster = cluster;
        _name = name;
        ConnectionString = connectionString;
        Database = new StatusDatabase(ConnectionString, Options);
        Log = new StatusLog(Database);
        Queue = new GenerationQueue(Database);
        Results = CreateResults(new FolderContentStore(ResultsFolder, mayCreate: true, writes: true));
    }

    /// <summary>A database that is not dropped on disposal.</summary>
    public static TestDatabase At(string connectionString) => new(null, "", connectionString);

    public string ConnectionString { get; }

    public StatusDatabase Database { get; }

    public NpgsqlDataSource DataSource => Database.DataSource;

    public StatusLog Log { get; }

    public GenerationQueue Queue { get; private set; }

    public GenerationResultStore Results { get; }

    /// <summary>The folder of the results larger than 256 KiB; deleted on disposal.</summary>
    public string ResultsFolder { get; } = Directory.CreateTempSubdirectory("status-updates-test-results-").FullName;

    /// <summary>The results, with another store for those larger than 256 KiB.</summary>
    public GenerationResultStore CreateResults(IContentStore contents, ResultsOptions? options = null) =>
        new(Database, contents, Microsoft.Extensions.Options.Options.Create(options ?? new ResultsOptions()));

    public GenerationQueries CreateQueries() => new(CreateContext());

    public GenerationCommands CreateCommands() => new(Database, CreateQueries());

    public StatusDbContext CreateContext()
    {
        var builder = new DbContextOptionsBuilder<StatusDbContext>();
        Database.Configure(builder);
        return new StatusDbContext(builder.Options);
    }

    /// <summary>Submits a generation and returns the result with its first update.</summary>
    public Task<SubmitResult> SubmitAsync(
        string userId,
        string type = "product_card",
        string? key = null,
        CancellationToken cancellationToken = default) =>
        CreateCommands().SubmitAsync(
            new Submission
            {
                UserId = userId,
                Type = type,
                Task = GenerationTypes.Default.Find(type)?.DefaultTask ?? type,
                Prompt = "a prompt",
                IdempotencyKey = key,
                RequestHash = key is null ? null : [1],
            },
            cancellationToken);

    /// <summary>Claims up to <paramref name="limit"/> generations as the worker <paramref name="owner"/>.</summary>
    public Task<ClaimResult> ClaimAsync(int limit = 1, string owner = "test-worker", TimeSpan? lease = null, CancellationToken cancellationToken = default) =>
        Queue.ClaimAsync(
            new ClaimRequest
            {
                Owner = owner,
                Tasks = GenerationTypes.Default.TaskNames,
                Limit = limit,
                Lease = lease ?? TimeSpan.FromSeconds(30),
            },
            cancellationToken);

    public async Task<T?> ScalarAsync<T>(string sql, CancellationToken cancellationToken = default)
    {
        await using var command = DataSource.CreateCommand(sql);
        return (T?)await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <summary>Expires every lease, as the passing of time would. Queues that remember a longer lease notice at their next exploration.</summary>
    public async Task ExpireLeasesAsync()
    {
        await ExecuteAsync("UPDATE generations SET lease_expires_at = now() - interval '1 second' WHERE status = 'processing'", TestTime.Token);
        Queue = new GenerationQueue(Database);
    }

    /// <summary>Waits until a query returns true.</summary>
    public Task UntilAsync(string sql) =>
        Eventually.TrueAsync(async () => await ScalarAsync<object>(sql, TestTime.Token) is true, everyMilliseconds: 10);

    public async Task ExecuteAsync(string sql, CancellationToken cancellationToken = default)
    {
        await using var command = DataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>
    /// Asserts what must hold for every database at rest: each log is oldest..last without a gap, its times never go back, every generation's row
    /// matches its latest event (unless retention has removed it), its events follow the lifecycle, and the counts match the rows.
    /// </summary>
    public async Task AssertConsistentAsync(CancellationToken cancellationToken = default)
    {
        Assert.Equal(0L, await ScalarAsync<long>(
            """
            SELECT count(*) FROM user_streams s
            LEFT JOIN LATERAL (SELECT count(*), min(seq), max(seq) FROM status_events e WHERE e.user_id = s.user_id) e ON true
            WHERE last_seq - oldest_seq + 1 <> e.count OR e.min <> oldest_seq OR e.max <> last_seq
            """,
            cancellationToken));
        Assert.Equal(0L, await ScalarAsync<long>(
            "SELECT count(*) FROM status_events e WHERE NOT EXISTS (SELECT FROM user_streams s WHERE s.user_id = e.user_id)", cancellationToken));
        Assert.Equal(0L, await ScalarAsync<long>(
            """
            SELECT count(*) FROM (SELECT occurred_at < lag(occurred_at) OVER (PARTITION BY user_id ORDER BY seq) AS back FROM status_events) t
            WHERE back
            """,
            cancellationToken));
        Assert.Equal(0L, await ScalarAsync<long>(
            """
            SELECT count(*) FROM generations g
            LEFT JOIN LATERAL (SELECT * FROM status_events e WHERE e.generation_id = g.id ORDER BY seq DESC LIMIT 1) e ON true
            WHERE g.seq >= (SELECT oldest_seq FROM user_streams s WHERE s.user_id = g.user_id)
              AND (g.seq, g.status, g.user_id, g.last_update_id, g.updated_at)
                  IS DISTINCT FROM (e.seq, e.status, e.user_id, e.update_id, e.occurred_at)
            """,
            cancellationToken));
        Assert.Equal(0L, await ScalarAsync<long>(
            """
            SELECT count(*) FROM (
                SELECT status, lag(status) OVER (PARTITION BY generation_id ORDER BY seq) AS before,
                       (SELECT oldest_seq > 1 FROM user_streams s WHERE s.user_id = e.user_id) AS trimmed,
                       (metadata ->> 'attempt')::int AS attempt,
                       lag((metadata ->> 'attempt')::int) OVER (PARTITION BY generation_id ORDER BY seq) AS attempt_before
                FROM status_events e) t
            WHERE NOT CASE COALESCE(before, '')
                WHEN '' THEN status = 'pending' OR trimmed
                WHEN 'pending' THEN status IN ('processing', 'canceled', 'failed')
                WHEN 'processing' THEN status IN ('processing', 'pending', 'completed', 'failed', 'canceled')
                ELSE false END
               OR attempt < attempt_before
            """,
            cancellationToken));
        Assert.Equal(0L, await ScalarAsync<long>(WrongCountsSql, cancellationToken));
    }

    /// <summary>Copies the database as it is now.</summary>
    public async Task<DatabaseBackup> BackUpAsync(CancellationToken cancellationToken = default)
    {
        var backup = new DatabaseBackup(_cluster!, _name);
        await backup.TakeAsync(cancellationToken);
        return backup;
    }

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        Directory.Delete(ResultsFolder, recursive: true);
        if (_cluster is not null)
        {
            await _cluster.DropAsync(_name);
        }
    }
}
