using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>
/// The one data source of a process, and the rule by which writes are repeated. Thread-safe.
/// </summary>
public sealed class StatusDatabase : IAsyncDisposable
{
    private readonly StatusDatabaseOptions _options;
    private readonly TimeProvider _time;
    private readonly NpgsqlConnectionStringBuilder _session;
    private readonly NpgsqlDataSource _sessions;

    /// <summary>Makes the data source; connects to nothing yet.</summary>
    /// <param name="connectionString">An Npgsql connection string. What it says itself wins over the settings made here.</param>
    /// <param name="options">Time limits.</param>
    /// <param name="time">The clock of retries; the system's by default.</param>
    public StatusDatabase(string connectionString, StatusDatabaseOptions? options = null, TimeProvider? time = null)
    {
        _options = options ?? new StatusDatabaseOptions();
        _time = time ?? TimeProvider.System;
        Timeouts = TimeoutsOf(_options, new NpgsqlConnectionStringBuilder(connectionString).Options);
        var withSettings = WithSessionSettings(connectionString, _options, Timeouts);
        var parts = new NpgsqlConnectionStringBuilder(withSettings);
        Spans = new StatementSpans(parts, _time);
        Unconfirmed = new UnconfirmedWrites(_time);
        DataSource = Build(withSettings, parts.Database);
        _session = new NpgsqlConnectionStringBuilder(withSettings) { Pooling = false };
        _sessions = Build(_session.ConnectionString, $"{parts.Database} sessions");
    }

    /// <summary>Connections for set-based SQL; the EF Core model uses the same ones.</summary>
    public NpgsqlDataSource DataSource { get; }

    /// <summary>The database's name; null where the connection string leaves it to the role's.</summary>
    internal string? Name => string.IsNullOrEmpty(_session.Database) ? null : _session.Database;

    /// <summary>The role that the connection string names; null where it leaves it to the system.</summary>
    internal string? Role => string.IsNullOrEmpty(_session.Username) ? null : _session.Username;

    /// <summary>For messages: which database, of which server.</summary>
    internal string Description => $"The database \"{Name ?? Role}\" at {_session.Host}:{_session.Port}";

    /// <summary>What every session is to have, by the server's names; without what the connection string sets itself.</summary>
    internal IReadOnlyDictionary<string, TimeSpan> Timeouts { get; }

    /// <summary>Spans of what nobody waits for.</summary>
    internal StatementSpans Spans { get; }

    /// <summary>Where it is told that standbys do not confirm what is written.</summary>
    internal UnconfirmedWrites Unconfirmed { get; }

    /// <summary>
    /// Opens a connection that is nobody else's before or after: for locks and settings of a session, which pooled connections must not have,
    /// because nothing resets them between two uses.
    /// </summary>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <param name="database">Another database of the same server.</param>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    internal async Task<NpgsqlConnection> OpenSessionAsync(CancellationToken cancellationToken, string? database = null)
    {
        if (database is null)
        {
            return await _sessions.OpenConnectionAsync(cancellationToken);
        }

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

    /// <summary>Lets an EF Core context use <see cref="DataSource"/>, and log no SQL.</summary>
    public void Configure(DbContextOptionsBuilder builder) =>
        builder.UseNpgsql(DataSource)
            .UseSnakeCaseNamingConvention()
            .ConfigureWarnings(events => events.Ignore(
                RelationalEventId.CommandError, RelationalEventId.CommandExecuting, RelationalEventId.CommandExecuted));

    /// <summary>
    /// Runs a write until its outcome is known: again while somebody is in the way or the database is away (<see cref="DatabaseErrors"/>),
    /// with jittered back-off, for <see cref="StatusDatabaseOptions.RetryFor"/> at most. The write must recognise that it was committed
    /// by an earlier try, because a connection can be lost between a commit and its answer; what it finds is then made sure to be durable.
    /// </summary>
    /// <exception cref="UnconfirmedWriteException">It is committed, and no standby is known to have it.</exception>
    /// <exception cref="NpgsqlException">The database did not take it in time, or refused it for good.</exception>
    public async Task<T> RetryAsync<T>(Func<CancellationToken, Task<T>> write, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var result = await write(cancellationToken);
                if (attempt > 0)
                {
                    await this.ConfirmAsync(cancellationToken);
                }

                return result;
            }
            catch (NpgsqlException e) when (IsWorthRepeating(e) && _time.GetElapsedTime(started) < _options.RetryFor)
            {
                CountRetry(e);
                await Task.Delay(BackOff(attempt), _time, cancellationToken);
            }
        }
    }

    /// <summary>
    /// Runs a read, and once more if its connection was lost: a pooled one may have been closed by the server long ago, and that failure
    /// has emptied the pool. A database that is away stays a failure, told at once.
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
        await _sessions.DisposeAsync();
    }

    /// <summary>The present timestamp of the clock that retries go by.</summary>
    internal long Now => _time.GetTimestamp();

    /// <summary>Whether what began then has been tried for as long as it may be.</summary>
    internal bool IsTimeUp(long since) => _time.GetElapsedTime(since) >= _options.RetryFor;

    internal Task BackOffAsync(int attempt) => Task.Delay(BackOff(attempt), _time);

    internal static void CountRetry(NpgsqlException e) =>
        DataTelemetry.Retries.Add(1, new KeyValuePair<string, object?>("error.type", e.SqlState ?? e.GetType().Name));

    // Another writer of the same idempotency key or id won: the next try finds its row.
    internal static bool IsWorthRepeating(NpgsqlException e) =>
        e is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation } || DatabaseErrors.MayPass(e);

    private static NpgsqlDataSource Build(string connectionString, string? name)
    {
        // Named, because its metrics and spans would else bear the connection string.
        var builder = new NpgsqlDataSourceBuilder(connectionString) { Name = name };
        builder.ConfigureTracing(StatementTracing.Configure);
        return builder.Build();
    }

    // Full jitter: 5 ms doubling up to a second.
    internal static TimeSpan BackOff(int attempt) =>
        TimeSpan.FromMilliseconds(Math.Min(1000, 5 << Math.Min(attempt, 8)) * (0.5 + (Random.Shared.NextDouble() / 2)));

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

    private static string WithSessionSettings(string connectionString, StatusDatabaseOptions options, IReadOnlyDictionary<string, TimeSpan> timeouts)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString);

        // The server ends by itself what a paused or vanished process of ours left behind, so that no user's log stays locked.
        // Statements are prepared, and made so that one plan serves all their values: planning a write anew for each costs more than the write.
        // Nothing here runs long enough to be worth compiling. Warnings are heard: one of them takes a success back (DatabaseWrites). What the connection string itself sets comes last and wins.
        var settings = string.Create(CultureInfo.InvariantCulture, $"""
            {string.Join(' ', timeouts.Select(timeout => $"-c {timeout.Key}={Milliseconds(timeout.Value)}"))}
            -c client_min_messages=warning
            -c plan_cache_mode=force_generic_plan
            -c jit=off
            -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000
            """).ReplaceLineEndings(" ");
        builder.Options = $"{settings} {builder.Options}".TrimEnd();

        SetDefault(builder, "Max Auto Prepare", () => builder.MaxAutoPrepare = 64);
        SetDefault(builder, "Auto Prepare Min Usages", () => builder.AutoPrepareMinUsages = 2);
        // What a session had is reset before its connection is used again: a transaction of its own for each statement here, none of which leaves
        // anything (OpenSessionAsync is for what does).
        SetDefault(builder, "No Reset On Close", () => builder.NoResetOnClose = true);
        SetDefault(builder, "Tcp Keepalive", () => builder.TcpKeepAlive = true);
        SetDefault(builder, "Timeout", () => builder.Timeout = 5);

        // A server that lives ends a statement by itself before this; past it the connection leads nowhere, and a write has time left to be repeated.
        SetDefault(builder, "Command Timeout", () => builder.CommandTimeout = (int)Math.Ceiling(options.StatementTimeout.TotalSeconds) + 1);

        // One write to the socket for a whole statement and its commit, so that the server never holds locks while it waits for the rest.
        SetDefault(builder, "Write Buffer Size", () => builder.WriteBufferSize = 64 * 1024);
        return builder.ConnectionString;
    }

    private static void SetDefault(NpgsqlConnectionStringBuilder builder, string key, Action set)
    {
        // Not ContainsKey, which this builder answers with true for every key that it knows, set or not.
        if (!builder.ShouldSerialize(key))
        {
            set();
        }
    }

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
