using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>Creates the database itself if it is missing: a new server, in a container or managed, only has <c>postgres</c>.</summary>
internal static class DatabaseCreation
{
    /// <summary>The database that every server has, from which others can be created.</summary>
    public const string MaintenanceDatabase = "postgres";

    /// <summary>Creates the database that the connection string names. Of several processes that do so at once, one succeeds.</summary>
    /// <returns>Its name; null if another process was first.</returns>
    /// <exception cref="DatabaseMissingException">The role is not allowed to: the message says what to do.</exception>
    /// <exception cref="NpgsqlException">The server does not answer.</exception>
    public static async Task<string?> CreateAsync(StatusDatabase database, CancellationToken cancellationToken)
    {
        var role = database.Role ?? "";
        try
        {
            await using var connection = await database.OpenSessionAsync(MaintenanceDatabase, cancellationToken);
            await using var session = new NpgsqlCommand("SELECT session_user::text", connection);
            role = (string)(await session.ExecuteScalarAsync(cancellationToken))!;

            // Without a database name, a connection uses the role's name.
            var name = database.Name ?? role;

            // template0 is pristine and never has connections, which would block the copy. The copy takes as long as the disk needs.
            await ExecuteAsync(connection, "SET statement_timeout = 0", cancellationToken);
            await ExecuteAsync(connection, "SET lock_timeout = 0", cancellationToken);
            await ExecuteAsync(connection, $"CREATE DATABASE {Quote(name)} ENCODING 'UTF8' TEMPLATE template0", cancellationToken);
            return name;
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.DuplicateDatabase or PostgresErrorCodes.UniqueViolation)
        {
            // UniqueViolation is for two creations at the same moment: both saw no database, and the catalog's index accepted one.
            return null;
        }
        catch (PostgresException e) when (DatabaseErrors.KindOf(e) is DatabaseErrorKind.Refused or DatabaseErrorKind.Denied)
        {
            throw Refused(database.Name ?? role, role, e);
        }
    }

    private static DatabaseMissingException Refused(string name, string role, PostgresException e) => new(
        $"The database {Quote(name)} does not exist, and the role {Quote(role)} could not create it ({e.SqlState}: {e.MessageText}). "
        + $"Create it with a role that may (CREATE DATABASE {Quote(name)} OWNER {Quote(role)}), or allow this role to (ALTER ROLE {Quote(role)} CREATEDB).",
        e);

    // One statement at a time: CREATE DATABASE cannot share a transaction with others.
    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Quotes an identifier for SQL.</summary>
    public static string Quote(string identifier) => $"\"{identifier.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}

/// <summary>The database is missing and this role may not create it; the service waits until somebody else has.</summary>
internal sealed class DatabaseMissingException(string message, Exception cause) : Exception(message, cause);
