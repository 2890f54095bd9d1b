using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>Creates the database itself, where nobody has: a server in a container, or a managed one, comes with <c>postgres</c> alone.</summary>
internal static class DatabaseCreation
{
    /// <summary>The database that every server has, and in which others can be created.</summary>
    public const string MaintenanceDatabase = "postgres";

    /// <summary>Creates the database that the connection string names. Of several who do so at once one does, and for the others it is there.</summary>
    /// <returns>Its name; null if somebody else was first.</returns>
    /// <exception cref="DatabaseMissingException">The role may not: the message says what to do.</exception>
    /// <exception cref="NpgsqlException">The server does not answer.</exception>
    public static async Task<string?> CreateAsync(StatusDatabase database, CancellationToken cancellationToken)
    {
        var role = database.Role ?? "";
        try
        {
            await using var connection = await database.OpenSessionAsync(cancellationToken, MaintenanceDatabase);
            role = await RoleAsync(connection, cancellationToken);

            // Without a name of its own a connection goes to the database of the role's name.
            var name = database.Name ?? role;

            // From template0: pristine, and nobody is ever connected to it, which would hold the copy up. How long copying takes is the disk's affair.
            await ExecuteAsync(connection, "SET statement_timeout = 0", cancellationToken);
            await ExecuteAsync(connection, "SET lock_timeout = 0", cancellationToken);
            await ExecuteAsync(connection, $"CREATE DATABASE {Quote(name)} ENCODING 'UTF8' TEMPLATE template0", cancellationToken);
            return name;
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.DuplicateDatabase or PostgresErrorCodes.UniqueViolation)
        {
            // The second is what the server says when two create at the very same time: both saw none, and the catalog's index took one.
            return null;
        }
        catch (PostgresException e) when (DatabaseErrors.KindOf(e) is DatabaseErrorKind.Refused or DatabaseErrorKind.Denied)
        {
            throw Refused(database.Name ?? role, role, e);
        }
    }

    private static DatabaseMissingException Refused(string name, string role, PostgresException e) => new(
        $"The database {Quote(name)} does not exist, and the role {Quote(role)} could not create it ({e.SqlState}: {e.MessageText}). "
        + $"Create it by a role that may (CREATE DATABASE {Quote(name)} OWNER {Quote(role)}), or let this role do so (ALTER ROLE {Quote(role)} CREATEDB).",
        e);

    private static async Task<string> RoleAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT session_user::text", connection);
        return (string)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    // One statement each: a database cannot be created beside others in one transaction.
    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>An identifier as SQL writes it, whatever is in it.</summary>
    public static string Quote(string identifier) => $"\"{identifier.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}

/// <summary>There is no database, and the service may not make it: somebody must, which it waits for.</summary>
internal sealed class DatabaseMissingException(string message, Exception cause) : Exception(message, cause);
