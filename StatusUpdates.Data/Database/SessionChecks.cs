using System.Globalization;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Checks at startup what everything after it relies on: that commits are durable, that sessions have the configured timeouts, and that a
/// connection is one session. A pooler in between can silently break the last two.
/// </summary>
internal static class SessionChecks
{
    // As many as the idle servers that a pooler may rotate through.
    private const int Rounds = 8;

    /// <exception cref="InvalidOperationException">A check failed: the message names the setting.</exception>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public static async Task RunAsync(StatusDatabase database, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await CheckDurabilityAsync(connection, cancellationToken);
        await CheckTimeoutsAsync(database, connection, cancellationToken);
        await CheckSessionAsync(database, connection, cancellationToken);
    }

    /// <summary>Explains the error of a pooler that does not accept the settings of a session; null if it is another error.</summary>
    public static string? ExplainRefusal(StatusDatabase database, PostgresException e) =>
        e.SqlState == PostgresErrorCodes.ProtocolViolation && e.MessageText.Contains("startup parameter", StringComparison.OrdinalIgnoreCase)
            ? $"{database.Description} is behind a pooler that does not accept session settings ({e.MessageText}). Connect to PostgreSQL directly, or let the "
              + $"pooler ignore them (PgBouncer: ignore_startup_parameters = options) and set them for the role instead: {AlterRole(database)}"
            : null;

    private static async Task CheckDurabilityAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SHOW synchronous_commit", connection);
        if (await command.ExecuteScalarAsync(cancellationToken) is "off")
        {
            throw new InvalidOperationException(
                "The database has synchronous_commit = off: it could lose updates that clients have seen. " +
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
            var expected = (long)database.Timeouts[name].TotalMilliseconds;
            if (set != expected)
            {
                throw new InvalidOperationException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{database.Description} has {name} = {set} ms instead of {expected} ms: a pooler in between drops session settings, and one stuck transaction "
                    + $"could block everybody's updates. Connect to PostgreSQL directly, or set them for the role: {AlterRole(database)}"));
            }
        }
    }

    /// <summary>If one process serves two connections that are open at the same time, a pooler shares it between them.</summary>
    private static async Task CheckSessionAsync(StatusDatabase database, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // A server reports the process that serves the connection; a pooler reports a number of its own.
        var first = await ReadProcessAsync(connection, cancellationToken);
        if (first == connection.ProcessID)
        {
            return;
        }

        await using var other = await database.OpenSessionAsync(cancellationToken);
        var processes = new HashSet<int> { first };
        for (var round = 0; round < Rounds; round++)
        {
            if (processes.Contains(await ReadProcessAsync(other, cancellationToken)))
            {
                throw new InvalidOperationException(
                    $"{database.Description} is behind a pooler that assigns a session to each transaction (PgBouncer: pool_mode = transaction). Session locks, prepared statements and "
                    + "session timeouts do not work with that. Connect to PostgreSQL directly, or set pool_mode = session for this database.");
            }

            processes.Add(await ReadProcessAsync(connection, cancellationToken));
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
