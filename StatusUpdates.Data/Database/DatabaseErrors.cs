using System.Collections.Frozen;
using System.Net.Sockets;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>What a database error means to the caller.</summary>
public enum DatabaseErrorKind
{
    /// <summary>The statement or its data is wrong, and a repeat would fail in the same way. Also any error that is not a database's.</summary>
    Refused,

    /// <summary>A lock conflict, a serialization failure or a timeout: nothing was written, and a retry may succeed at once.</summary>
    Contention,

    /// <summary>
    /// The database is temporarily unavailable, or not writable: it is starting, stopping, full, a replica, or does not exist yet.
    /// </summary>
    Away,

    /// <summary>
    /// The role may not connect, or not do this. While a service runs this is treated like <see cref="Away"/>, because somebody may be changing
    /// permissions; at startup it is reported as an error.
    /// </summary>
    Denied,
}

/// <summary>
/// The one table that classifies database errors, by SQLSTATE (PostgreSQL, appendix A). States of five characters take precedence over
/// classes of two; what is in neither is refused. Thread-safe.
/// </summary>
public static class DatabaseErrors
{
    // Npgsql 10 throws this if no host of several has the requested role. It is not marked as transient, and has no cause.
    private const string NoHost = "No suitable host was found.";

    /// <summary>The meaning of SQLSTATEs and of their classes.</summary>
    public static IReadOnlyDictionary<string, DatabaseErrorKind> States { get; } = new Dictionary<string, DatabaseErrorKind>(StringComparer.Ordinal)
    {
        // Connection exceptions. PgBouncer reports all errors of its own as 08P01.
        ["08"] = DatabaseErrorKind.Away,

        // Read-only: a replica, or a primary that has stepped down.
        ["25006"] = DatabaseErrorKind.Away,

        // Idle in a transaction for too long, or the transaction took too long (PostgreSQL 17): rolled back.
        ["25P03"] = DatabaseErrorKind.Contention,
        ["25P04"] = DatabaseErrorKind.Contention,

        // Invalid authorization.
        ["28"] = DatabaseErrorKind.Denied,

        // The database, its schema or its tables are missing: it is being restored.
        ["3D000"] = DatabaseErrorKind.Away,
        ["3F000"] = DatabaseErrorKind.Away,
        ["42P01"] = DatabaseErrorKind.Away,

        // Serialization failures and deadlocks.
        ["40"] = DatabaseErrorKind.Contention,
        ["42501"] = DatabaseErrorKind.Denied,

        // Insufficient resources: memory, disk, connections.
        ["53"] = DatabaseErrorKind.Away,

        // Object not in the required state: a database that accepts no connections. In use. Locked.
        ["55000"] = DatabaseErrorKind.Away,
        ["55006"] = DatabaseErrorKind.Contention,
        ["55P03"] = DatabaseErrorKind.Contention,

        // Operator intervention: starting up, shutting down, dropped; or this statement was canceled, mostly by a timeout.
        ["57"] = DatabaseErrorKind.Away,
        ["57014"] = DatabaseErrorKind.Contention,

        // System errors: input and output.
        ["58"] = DatabaseErrorKind.Away,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Classifies the error, or the first of its causes that is a database error; EF Core, for example, wraps them.</summary>
    public static DatabaseErrorKind KindOf(Exception exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case PostgresException { SqlState: var state }:
                    return States.GetValueOrDefault(state, States.GetValueOrDefault(state[..Math.Min(2, state.Length)], DatabaseErrorKind.Refused));
                case NpgsqlException { IsTransient: true } or NpgsqlException { Message: NoHost } or NpgsqlException { InnerException: SocketException }:
                    return DatabaseErrorKind.Away;
                case AggregateException several when several.InnerExceptions.Select(KindOf).FirstOrDefault(kind => kind != DatabaseErrorKind.Refused) is var kind:
                    // From several hosts: if one of the errors may pass, waiting is worth it.
                    return kind;
                default:
                    continue;
            }
        }

        return DatabaseErrorKind.Refused;
    }

    /// <summary>Whether a retry may succeed later.</summary>
    public static bool IsTransient(Exception exception) => KindOf(exception) != DatabaseErrorKind.Refused;
}
