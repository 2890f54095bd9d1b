using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Database;

/// <summary>The data source of a process, and its retry policy for writes. Thread-safe.</summary>
public sealed partial class StatusDatabase : IAsyncDisposable
{
    private static readonly Backoff RetryBackoff = new(TimeSpan.FromMilliseconds(5), TimeSpan.FromSeconds(1));

    private readonly LogPace _unconfirmed;
    private readonly NpgsqlConnectionStringBuilder _session;
    private readonly NpgsqlDataSource _sessions;

    /// <summary>Creates the data source; does not connect yet.</summary>
    /// <param name="connectionString">An Npgsql connection string. Its settings override those made here.</param>
    /// <param name="options">Timeouts.</param>
    /// <param name="time">The clock for retries; the system's by default.</param>
    public StatusDatabase(string connectionString, StatusDatabaseOptions? options = null, TimeProvider? time = null)
    {
        options ??= new StatusDatabaseOptions();
        RetryFor = options.RetryFor;
        Time = time ?? TimeProvider.System;
        _unconfirmed = new LogPace(Time);
        var own = new NpgsqlConnectionStringBuilder(connectionString).Options;
        Timeouts = TimeoutsOf(options, own);
        var settings = $"{SettingsOf(Timeouts)} {own}".TrimEnd();

        // Of several values of a key, the last one counts.
        var defaults = DefaultsOf(options).ConnectionString;
        var pooled = new NpgsqlConnectionStringBuilder($"{defaults};{connectionString}") { Options = settings };
        var claims = new NpgsqlConnectionStringBuilder($"{defaults};Auto Prepare Min Usages=1;{connectionString}")
        {
            Options = $"{settings} -c enable_bitmapscan=off",
        };
        _session = new NpgsqlConnectionStringBuilder(pooled.ConnectionString) { Pooling = false };
        Spans = new StatementSpans(pooled, Time);
        DataSource = Build(pooled, pooled.Database);
        Claims = Build(claims, $"{pooled.Database} claims");
        _sessions = Build(_session, $"{pooled.Database} sessions");
    }

    /// <summary>Pooled connections, for SQL and for the EF Core context.</summary>
    public NpgsqlDataSource DataSource { get; }

    /// <summary>
    /// Connections of the queue, usually only one of them in use. They read indexes in order and never as bitmaps, because a queue's statistics are always
    /// out of date. The statements are large, and prepared at their first use: planning one takes longer than many executions.
    /// </summary>
    internal NpgsqlDataSource Claims { get; }

    /// <summary>The database's name; null if the connection string omits it, and the role's name is used.</summary>
    internal string? Name => string.IsNullOrEmpty(_session.Database) ? null : _session.Database;

    /// <summary>The role in the connection string; null if it is left to the system.</summary>
    internal string? Role => string.IsNullOrEmpty(_session.Username) ? null : _session.Username;

    /// <summary>The database and its server, for messages.</summary>
    internal string Description => $"The database \"{Name ?? Role}\" at {_session.Host}:{_session.Port}";

    /// <summary>The timeouts that every session must have, by setting name, except those that the connection string sets itself.</summary>
    internal IReadOnlyDictionary<string, TimeSpan> Timeouts { get; }

    /// <summary>How long a write is retried.</summary>
    internal TimeSpan RetryFor { get; set; }

    /// <summary>Spans of statements outside of requests and jobs.</summary>
    public StatementSpans Spans { get; }

    /// <summary>The clock for retries.</summary>
    internal TimeProvider Time { get; }

    /// <summary>The logger for writes that no standby has confirmed; without one nothing is logged.</summary>
    internal ILogger? Logger { get; set; }

    /// <summary>
    /// Opens a connection that is used for nothing else before or after: for session locks and session settings, which pooled connections must not
    /// have, because they are not reset between two uses.
    /// </summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<NpgsqlConnection> OpenSessionAsync(CancellationToken cancellationToken) => await _sessions.OpenConnectionAsync(cancellationToken);

    /// <summary>Like <see cref="OpenSessionAsync(CancellationToken)"/>, to another database of the same server.</summary>
    internal async Task<NpgsqlConnection> OpenSessionAsync(string database, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_session.ConnectionString) { Database = database }.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes an EF Core context use <see cref="DataSource"/> and log no SQL.</summary>
    public void Configure(DbContextOptionsBuilder builder) =>
        builder.UseNpgsql(DataSource)
            .UseSnakeCaseNamingConvention()
            .ConfigureWarnings(events => events.Ignore(
                RelationalEventId.CommandError, RelationalEventId.CommandExecuting, RelationalEventId.CommandExecuted));

    /// <summary>
    /// Runs a write until its outcome is known: repeats it on contention and while the database is away (<see cref="DatabaseErrors"/>), with
    /// jittered back-off, for at most <see cref="StatusDatabaseOptions.RetryFor"/>. The write must recognize what an earlier try has committed,
    /// because a connection can be lost between a commit and its answer; after a retry, that commit is then confirmed to be durable.
    /// </summary>
    /// <exception cref="UnconfirmedWriteException">It is committed, but not confirmed by a standby.</exception>
    /// <exception cref="NpgsqlException">The database did not execute it in time, or refused it for good.</exception>
    public async Task<T> RetryAsync<T>(Func<CancellationToken, Task<T>> write, CancellationToken cancellationToken)
    {
        var started = Time.GetTimestamp();
        for (var failures = 0; ;)
        {
            try
            {
                var result = await write(cancellationToken);
                if (failures > 0)
                {
                    await this.ConfirmAsync(cancellationToken);
                }

                return result;
            }
            catch (NpgsqlException e) when (ShouldRetry(e) && !IsTimeUp(started))
            {
                CountRetry(e);
                await Task.Delay(RetryBackoff.After(++failures), Time, cancellationToken);
            }
        }
    }

    /// <summary>
    /// Runs a read, and once more after a transient failure: the server may have closed a pooled connection long ago, and that failure has
    /// emptied the pool. If the database is away, the second failure is reported at once.
    /// </summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public static async Task<T> ReadAsync<T>(Func<CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        try
        {
            return await read(cancellationToken);
        }
        catch (NpgsqlException e) when (e.IsTransient)
        {
            CountRetry(e);
            return await read(cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        await Claims.DisposeAsync();
        await _sessions.DisposeAsync();
    }

    /// <summary>Logs the number of writes that no standby has confirmed since the last entry, if an entry is due.</summary>
    internal void ReportUnconfirmed()
    {
        if (Logger is { } logger && _unconfirmed.IsDue(out var count))
        {
            LogUnconfirmed(logger, count);
        }
    }

    /// <summary>Whether the retry time has passed since this timestamp.</summary>
    internal bool IsTimeUp(long since) => Time.GetElapsedTime(since) >= RetryFor;

    internal Task BackOffAsync(int failures) => Task.Delay(RetryBackoff.After(failures), Time);

    internal static void CountRetry(NpgsqlException e) =>
        DataTelemetry.Retries.Add(1, new KeyValuePair<string, object?>("error.type", e.SqlState ?? e.GetType().Name));

    // A unique violation: another writer of the same idempotency key or id was first, and the next try finds its row.
    internal static bool ShouldRetry(NpgsqlException e) =>
        e is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation } || DatabaseErrors.IsTransient(e);

    private static NpgsqlDataSource Build(NpgsqlConnectionStringBuilder connection, string? name)
    {
        // Named, because its metrics and spans would otherwise carry the connection string.
        var builder = new NpgsqlDataSourceBuilder(connection.ConnectionString) { Name = name };
        builder.ConfigureTracing(StatementTracing.Configure);
        return builder.Build();
    }

    private static Dictionary<string, TimeSpan> TimeoutsOf(StatusDatabaseOptions options, string? own)
    {
        var all = new Dictionary<string, TimeSpan>(StringComparer.Ordinal)
        {
            ["lock_timeout"] = options.LockTimeout,
            ["statement_timeout"] = options.StatementTimeout,
            ["idle_in_transaction_session_timeout"] = options.IdleInTransactionTimeout,
        };
        return all.Where(timeout => own?.Contains(timeout.Key, StringComparison.OrdinalIgnoreCase) != true).ToDictionary(StringComparer.Ordinal);
    }

    private static string SettingsOf(IReadOnlyDictionary<string, TimeSpan> timeouts)
    {
        // With the timeouts, the server ends what a stalled or vanished process left behind, and no user's log stays locked.
        // Statements are prepared, and written for one generic plan to fit all values: planning a write each time would cost more than the write.
        // A plan that is made while a table is empty would read the whole table later, so plans must use indexes.
        // No statement runs long enough for JIT to pay off. Warnings are needed because one of them revokes a success (DatabaseWrites).
        // The connection string's own options come last and win.
        return string.Create(CultureInfo.InvariantCulture, $"""
            {string.Join(' ', timeouts.Select(timeout => $"-c {timeout.Key}={(long)timeout.Value.TotalMilliseconds}"))}
            -c client_min_messages=warning
            -c plan_cache_mode=force_generic_plan
            -c jit=off -c enable_seqscan=off
            -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000
            """).ReplaceLineEndings(" ");
    }

    private static NpgsqlConnectionStringBuilder DefaultsOf(StatusDatabaseOptions options) => new()
    {
        MaxAutoPrepare = 64,
        AutoPrepareMinUsages = 2,

        // By default a session is reset before its connection is reused, by a transaction before each statement. That is not needed: no statement
        // leaves anything in the session (OpenSessionAsync is for those that do).
        NoResetOnClose = true,
        TcpKeepAlive = true,
        Timeout = 5,

        // A live server ends a statement before this limit; after it the connection is dead, and there is time left to repeat the write.
        CommandTimeout = (int)Math.Ceiling(options.StatementTimeout.TotalSeconds) + 1,

        // Room for a whole statement with its commit in one socket write: the server never holds locks while it waits for the rest.
        WriteBufferSize = 64 * 1024,
    };

    [LoggerMessage(2006, LogLevel.Error,
        "{Count} writes were committed but not confirmed by a synchronous standby, and were not reported as done. Check the standbys (pg_stat_replication)")]
    private static partial void LogUnconfirmed(ILogger logger, long count);
}
