using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Database;

/// <summary>
/// The one way in which statements that write are executed, so that an answer says what really happened. Thread-safe.
/// </summary>
/// <remarks>
/// Three things would else be taken for a commit that is none, or not a durable one. Whoever gives up waiting does not cancel the statement: a
/// cancellation that meets the commit's wait for a synchronous standby ends that wait, and the commit stands on the primary alone. The server says so
/// in a warning beside its success, which is why the connection is ours for the statement. And the answer is read to its very end: the commit of an
/// implicit transaction comes after the rows, and what fails while a reader is disposed of is dropped by Npgsql.
/// </remarks>
internal static partial class DatabaseWrites
{
    // The function of the server that waits for standbys (syncrep.c), the same in every language that messages may be in. All that it warns of is
    // that it has stopped waiting.
    private const string WaitForStandby = "SyncRepWaitForLSN";

    /// <summary>Executes a statement that writes, and reads its answer.</summary>
    /// <param name="database">Where.</param>
    /// <param name="command">The statement, of no connection; disposed of afterwards.</param>
    /// <param name="read">Reads what it returns, or as much as is wanted; the rest is read for it.</param>
    /// <param name="cancellationToken">Ends the wait; what was sent by then is executed all the same.</param>
    /// <exception cref="UnconfirmedWriteException">It is committed on the primary, and no standby is known to have it.</exception>
    /// <exception cref="NpgsqlException">It was not executed, or it is not known.</exception>
    public static Task<T> WriteAsync<T>(
        this StatusDatabase database, NpgsqlCommand command, Func<NpgsqlDataReader, Task<T>> read, CancellationToken cancellationToken) =>
        WriteAsync(
            database,
            command,
            connection =>
            {
                command.Connection = connection;
                return command.ExecuteReaderAsync(CancellationToken.None);
            },
            read,
            cancellationToken);

    /// <summary>As the other one, of several statements, which are one transaction.</summary>
    public static Task<T> WriteAsync<T>(
        this StatusDatabase database, NpgsqlBatch batch, Func<NpgsqlDataReader, Task<T>> read, CancellationToken cancellationToken) =>
        WriteAsync(
            database,
            batch,
            connection =>
            {
                batch.Connection = connection;
                return batch.ExecuteReaderAsync(CancellationToken.None);
            },
            read,
            cancellationToken);

    /// <summary>As the other one, of a statement that returns nothing.</summary>
    /// <returns>How many rows it wrote.</returns>
    public static Task<int> WriteAsync(this StatusDatabase database, NpgsqlCommand command, CancellationToken cancellationToken) =>
        database.WriteAsync(command, RowsWrittenAsync, cancellationToken);

    /// <summary>As the other one, for an interface that knows no asynchronous calls.</summary>
    public static void Write(this StatusDatabase database, NpgsqlCommand command)
    {
        using var connection = database.DataSource.OpenConnection();
        using var watch = new StandbyWatch(connection);
        command.Connection = connection;
        command.ExecuteNonQuery();
        ThrowIfUnconfirmed(watch, database);
    }

    /// <summary>
    /// As the other one, on a session that its caller holds and goes on with. The token cancels the statement itself: for what is done again whenever
    /// it is not known to be done, and reported to nobody.
    /// </summary>
    public static async Task<T> WriteAsync<T>(
        this NpgsqlConnection session, NpgsqlCommand command, Func<NpgsqlDataReader, Task<T>> read, CancellationToken cancellationToken)
    {
        await using (command)
        {
            using var watch = new StandbyWatch(session);
            command.Connection = session;
            var result = await ReadToEndAsync(await command.ExecuteReaderAsync(cancellationToken), read, cancellationToken);
            ThrowIfUnconfirmed(watch);
            return result;
        }
    }

    /// <summary>The number of rows that a statement wrote, as a <c>read</c>.</summary>
    public static async Task<int> RowsWrittenAsync(NpgsqlDataReader reader)
    {
        while (await reader.NextResultAsync(CancellationToken.None))
        {
            // The number is known when the last one has been read.
        }

        return reader.RecordsAffected;
    }

    /// <summary>
    /// Makes sure that everything committed before this is as durable as the database makes its commits: an entry in the write-ahead log that means
    /// nothing to anybody, whose commit is waited for as any other's. A repeat that finds its own row has written nothing, and waits for nothing.
    /// </summary>
    public static Task ConfirmAsync(this StatusDatabase database, CancellationToken cancellationToken) => database.WriteAsync(
        new NpgsqlCommand("-- confirm\nSELECT pg_logical_emit_message(true, 'status-updates', '')"), RowsWrittenAsync, cancellationToken);

    private static async Task<T> WriteAsync<T>(
        StatusDatabase database,
        IAsyncDisposable statement,
        Func<NpgsqlConnection, Task<NpgsqlDataReader>> execute,
        Func<NpgsqlDataReader, Task<T>> read,
        CancellationToken cancellationToken)
    {
        NpgsqlConnection connection;
        try
        {
            connection = await database.DataSource.OpenConnectionAsync(cancellationToken);
        }
        catch
        {
            await statement.DisposeAsync();
            throw;
        }

        var write = RunAsync();
        try
        {
            return await write.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (!write.IsCompleted)
        {
            // Nobody hears any more how it ends; it ends all the same, and gives its connection back.
            _ = write.ContinueWith(static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            throw;
        }

        async Task<T> RunAsync()
        {
            await using (connection)
            await using (statement)
            {
                using var watch = new StandbyWatch(connection);
                var result = await ReadToEndAsync(await execute(connection), read, CancellationToken.None);
                ThrowIfUnconfirmed(watch, database);
                return result;
            }
        }
    }

    private static async Task<T> ReadToEndAsync<T>(NpgsqlDataReader reader, Func<NpgsqlDataReader, Task<T>> read, CancellationToken cancellationToken)
    {
        await using (reader)
        {
            var result = await read(reader);
            while (await reader.NextResultAsync(cancellationToken))
            {
                // Until the server says that the transaction has ended.
            }

            return result;
        }
    }

    private static void ThrowIfUnconfirmed(StandbyWatch watch, StatusDatabase? database = null)
    {
        if (watch.HasStoppedWaiting)
        {
            DataTelemetry.Unconfirmed.Add(1);
            database?.Unconfirmed.Report();
            throw new UnconfirmedWriteException();
        }
    }

    /// <summary>Hears what the server says beside the answer.</summary>
    private sealed class StandbyWatch : IDisposable
    {
        private readonly NpgsqlConnection _connection;

        public StandbyWatch(NpgsqlConnection connection)
        {
            _connection = connection;
            connection.Notice += OnNotice;
        }

        public bool HasStoppedWaiting { get; private set; }

        public void Dispose() => _connection.Notice -= OnNotice;

        private void OnNotice(object sender, NpgsqlNoticeEventArgs e) => HasStoppedWaiting |= e.Notice.Routine == WaitForStandby;
    }
}

/// <summary>
/// A write is committed on the primary, which stopped waiting for a synchronous standby to have it: should the primary be lost now, the write may be lost
/// with it. The same write may be repeated, and succeeds when a standby has it.
/// </summary>
public sealed class UnconfirmedWriteException() : NpgsqlException("The database has committed a write that no standby is known to have.")
{
    /// <inheritdoc/>
    public override bool IsTransient => true;
}

/// <summary>Says now and then that standbys do not confirm what is written. Thread-safe.</summary>
internal sealed partial class UnconfirmedWrites(TimeProvider time)
{
    private readonly LogPace _pace = new(time);

    /// <summary>Where it is said; nowhere by default.</summary>
    public ILogger? Logger { get; set; }

    /// <summary>Tells of one, and of those since the last time.</summary>
    public void Report()
    {
        if (Logger is { } logger && _pace.IsDue(out var count))
        {
            LogUnconfirmed(logger, count);
        }
    }

    [LoggerMessage(2006, LogLevel.Error,
        "{Count} writes were committed without a synchronous standby that has them: they were not reported as done. Look at the standbys (pg_stat_replication)")]
    private static partial void LogUnconfirmed(ILogger logger, long count);
}
