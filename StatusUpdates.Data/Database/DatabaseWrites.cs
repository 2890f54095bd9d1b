using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>Executes all statements that write, and reports success only for durable commits. Thread-safe.</summary>
/// <remarks>
/// Three cases would otherwise be taken for a durable commit. Canceling a statement whose commit waits for a synchronous standby ends that wait,
/// with the commit on the primary alone: a caller that stops waiting therefore does not cancel the statement. The server reports this only in a
/// warning next to the success: each statement has a connection of its own, whose warnings are watched. And an implicit transaction commits after
/// its rows were sent, while Npgsql drops errors that occur when a reader is disposed of: the result is therefore read to the end.
/// </remarks>
public static class DatabaseWrites
{
    // The server's function that waits for standbys (syncrep.c); its name is the same in every message language. Its only warnings say that it
    // has stopped waiting.
    private const string WaitForStandby = "SyncRepWaitForLSN";

    /// <summary>Executes a statement that writes, and reads its result.</summary>
    /// <param name="database">The database.</param>
    /// <param name="command">The statement, without a connection; disposed of afterwards.</param>
    /// <param name="read">Reads the result, or a part of it; the rest is skipped.</param>
    /// <param name="cancellationToken">Stops waiting; a statement that was sent by then is executed anyway.</param>
    /// <exception cref="UnconfirmedWriteException">It is committed on the primary, but not confirmed by a standby.</exception>
    /// <exception cref="NpgsqlException">It was not executed, or its outcome is unknown.</exception>
    public static Task<T> WriteAsync<T>(
        this StatusDatabase database, NpgsqlCommand command, Func<NpgsqlDataReader, Task<T>> read, CancellationToken cancellationToken) =>
        database.WriteAsync(database.DataSource, command, read, cancellationToken);

    /// <summary>As the other one, over a connection of <paramref name="source"/>.</summary>
    public static Task<T> WriteAsync<T>(
        this StatusDatabase database, NpgsqlDataSource source, NpgsqlCommand command, Func<NpgsqlDataReader, Task<T>> read, CancellationToken cancellationToken) =>
        WriteAsync(
            database,
            source,
            command,
            connection =>
            {
                command.Connection = connection;
                return command.ExecuteReaderAsync(CancellationToken.None);
            },
            read,
            cancellationToken);

    /// <summary>Like the first overload, for several statements in one transaction.</summary>
    public static Task<T> WriteAsync<T>(
        this StatusDatabase database, NpgsqlBatch batch, Func<NpgsqlDataReader, Task<T>> read, CancellationToken cancellationToken) =>
        WriteAsync(
            database,
            database.DataSource,
            batch,
            connection =>
            {
                batch.Connection = connection;
                return batch.ExecuteReaderAsync(CancellationToken.None);
            },
            read,
            cancellationToken);

    /// <summary>Like the first overload, for a statement without a result.</summary>
    /// <returns>The number of rows written.</returns>
    public static Task<int> WriteAsync(this StatusDatabase database, NpgsqlCommand command, CancellationToken cancellationToken) =>
        database.WriteAsync(command, RowsWrittenAsync, cancellationToken);

    /// <summary>Like the first overload, for an interface that is synchronous.</summary>
    public static void Write(this StatusDatabase database, NpgsqlCommand command)
    {
        using var connection = database.DataSource.OpenConnection();
        using var watch = new StandbyWatch(connection);
        command.Connection = connection;
        command.ExecuteNonQuery();
        ThrowIfUnconfirmed(watch, database);
    }

    /// <summary>
    /// Like the first overload, on a session that the caller holds and continues to use. The token cancels the statement itself: only for writes
    /// that are repeated until they are known to be done, and whose success is reported to nobody.
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

    /// <summary>The number of rows written, as a <c>read</c> function.</summary>
    public static async Task<int> RowsWrittenAsync(NpgsqlDataReader reader)
    {
        while (await reader.NextResultAsync(CancellationToken.None))
        {
            // The number is known after the last result.
        }

        return reader.RecordsAffected;
    }

    /// <summary>
    /// Makes sure that everything committed before is as durable as the database makes its commits: writes a message to the write-ahead log that
    /// nobody reads, and waits for its commit. A retry that only finds its own row writes nothing, and so would wait for nothing.
    /// </summary>
    public static Task ConfirmAsync(this StatusDatabase database, CancellationToken cancellationToken) => database.WriteAsync(
        new NpgsqlCommand("-- confirm\nSELECT pg_logical_emit_message(true, 'status-updates', '')"), RowsWrittenAsync, cancellationToken);

    private static async Task<T> WriteAsync<T>(
        StatusDatabase database,
        NpgsqlDataSource source,
        IAsyncDisposable statement,
        Func<NpgsqlConnection, Task<NpgsqlDataReader>> execute,
        Func<NpgsqlDataReader, Task<T>> read,
        CancellationToken cancellationToken)
    {
        NpgsqlConnection connection;
        try
        {
            connection = await source.OpenConnectionAsync(cancellationToken);
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
            // Nobody waits for the outcome any more; the statement continues, and returns its connection at its end.
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
                // Until the server reports the end of the transaction.
            }

            return result;
        }
    }

    private static void ThrowIfUnconfirmed(StandbyWatch watch, StatusDatabase? database = null)
    {
        if (watch.HasStoppedWaiting)
        {
            DataTelemetry.Unconfirmed.Add(1);
            database?.ReportUnconfirmed();
            throw new UnconfirmedWriteException();
        }
    }

    /// <summary>Watches for the server's warning that it has stopped waiting for a standby.</summary>
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
/// A write is committed on the primary, which stopped waiting for a synchronous standby to confirm it: if the primary is lost now, the write may
/// be lost with it. The same write may be repeated, and succeeds when a standby has it.
/// </summary>
public sealed class UnconfirmedWriteException() : NpgsqlException("The database committed a write, but no synchronous standby has confirmed it.")
{
    /// <inheritdoc/>
    public override bool IsTransient => true;
}
