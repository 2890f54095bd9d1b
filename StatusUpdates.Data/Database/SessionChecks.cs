using System.Globalization;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>
/// What a start makes sure of, because everything after it relies on it: that commits are durable, that sessions have the time-outs that were asked
/// for, and that a connection is one session. A pooler between can take away the last two without a word.
/// </summary>
internal static class SessionChecks
{
    // As many as a pooler that goes round its servers may have idle.
    private const int Turns = 8;

    /// <exception cref="InvalidOperationException">It is not so: the message says which setting is wrong.</exception>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public static async Task RunAsync(StatusDatabase database, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await CheckDurabilityAsync(connection, cancellationToken);
        await CheckTimeoutsAsync(database, connection, cancellationToken);
        await CheckSessionAsync(database, connection, cancellationToken);
    }

    /// <summary>In words what a pooler says that does not take the settings of a connection; null if that is not what it says.</summary>
    public static string? ExplainRefusal(StatusDatabase database, PostgresException e) =>
        e.SqlState == PostgresErrorCodes.ProtocolViolation && e.MessageText.Contains("startup parameter", StringComparison.OrdinalIgnoreCase)
            ? $"{database.Description} is behind a pooler that does not take the settings of a session ({e.MessageText}). Connect to PostgreSQL directly; or let the "
              + $"pooler ignore them (PgBouncer: ignore_startup_parameters = options) and set them for the role instead: {AlterRole(database)}"
            : null;

    private static async Task CheckDurabilityAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SHOW synchronous_commit", connection);
        if (await command.ExecuteScalarAsync(cancellationToken) is "off")
        {
            throw new InvalidOperationException(
                "The database has synchronous_commit = off: it would lose updates that clients have seen. " +
                "Set it to on, local, remote_write or remote_apply for this database or role.");
        }
    }

    private static async Task CheckTimeoutsAsync(StatusDatabase database, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT name, setting::bigint FROM pg_settings WHERE name = ANY ($1)", connection);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. database.Timeouts.Keys] });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var (name, set) = (reader.GetString(0), reader.GetInt64(1));
            var asked = (long)database.Timeouts[name].TotalMilliseconds;
            if (set != asked)
            {
                throw new InvalidOperationException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{database.Description} has {name} = {set} ms where {asked} ms were asked for: a pooler between drops the settings of a session, and one stuck transaction "
                    + $"could hold up everybody's updates. Connect to PostgreSQL directly, or set them for the role: {AlterRole(database)}"));
            }
        }
    }

    /// <summary>Two connections that are open at the same time and are served by one process share it by turns.</summary>
    private static async Task CheckSessionAsync(StatusDatabase database, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // A server tells the process that it serves a connection by; a pooler tells a number of its own.
        var first = await ReadProcessAsync(connection, cancellationToken);
        if (first == connection.ProcessID)
        {
            return;
        }

        await using var other = await database.OpenSessionAsync(cancellationToken);
        var ofThis = new HashSet<int> { first };
        for (var turn = 0; turn < Turns; turn++)
        {
            if (ofThis.Contains(await ReadProcessAsync(other, cancellationToken)))
            {
                throw new InvalidOperationException(
                    $"{database.Description} is behind a pooler that gives each transaction another session (PgBouncer: pool_mode = transaction). Locks, prepared statements and "
                    + "time-outs of a session do not survive that. Connect to PostgreSQL directly, or set pool_mode = session for this database.");
            }

            ofThis.Add(await ReadProcessAsync(connection, cancellationToken));
        }
    }

    private static async Task<int> ReadProcessAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_backend_pid()", connection);
        return (int)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static string AlterRole(StatusDatabase database) => string.Join(' ', database.Timeouts.Select(timeout => string.Create(
        CultureInfo.InvariantCulture, $"ALTER ROLE {DatabaseCreation.Quote(database.Role ?? "…")} SET {timeout.Key} = {(long)timeout.Value.TotalMilliseconds};")));
}
