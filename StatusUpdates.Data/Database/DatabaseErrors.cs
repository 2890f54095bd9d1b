using System.Collections.Frozen;
using System.Net.Sockets;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>What an error means to whoever wanted something of the database.</summary>
public enum DatabaseErrorKind
{
    /// <summary>It is about the statement or its content, and the same again would bring the same. Also whatever is no error of a database.</summary>
    Refused,

    /// <summary>Somebody else was in the way, or it took too long: nothing was written, and the next try may succeed at once.</summary>
    InTheWay,

    /// <summary>The database serves nobody now, or nobody who writes: it starts, stops, is full, is a replica, is not there yet. It comes back.</summary>
    Away,

    /// <summary>It does not let this role in, or do this. While a service runs this is as being away: somebody is changing something. At its start it is told.</summary>
    Denied,
}

/// <summary>
/// The one table of what an error of the database means. States are SQLSTATEs (PostgreSQL, appendix A): those of five characters go before the
/// classes of two. What is in neither is refused. Thread-safe.
/// </summary>
public static class DatabaseErrors
{
    // What Npgsql 10 says where none of several hosts is of the kind that was asked for: it is neither transient nor has it a cause.
    private const string NoHost = "No suitable host was found.";

    /// <summary>SQLSTATEs, or classes of them, by what they mean.</summary>
    public static IReadOnlyDictionary<string, DatabaseErrorKind> States { get; } = new Dictionary<string, DatabaseErrorKind>(StringComparer.Ordinal)
    {
        // Connection exceptions. PgBouncer says everything of its own with 08P01.
        ["08"] = DatabaseErrorKind.Away,

        // Read-only: a replica, or a primary that has stepped down.
        ["25006"] = DatabaseErrorKind.Away,

        // Idle in a transaction for too long, or the transaction took too long (PostgreSQL 17): rolled back.
        ["25P03"] = DatabaseErrorKind.InTheWay,
        ["25P04"] = DatabaseErrorKind.InTheWay,

        // Invalid authorization.
        ["28"] = DatabaseErrorKind.Denied,

        // The database, its schema or its tables are not there: it is being restored.
        ["3D000"] = DatabaseErrorKind.Away,
        ["3F000"] = DatabaseErrorKind.Away,
        ["42P01"] = DatabaseErrorKind.Away,

        // Serialization failures and deadlocks.
        ["40"] = DatabaseErrorKind.InTheWay,
        ["42501"] = DatabaseErrorKind.Denied,

        // Insufficient resources: memory, disk, connections.
        ["53"] = DatabaseErrorKind.Away,

        // Not in a state for it: a database that accepts no connections. In use; locked.
        ["55000"] = DatabaseErrorKind.Away,
        ["55006"] = DatabaseErrorKind.InTheWay,
        ["55P03"] = DatabaseErrorKind.InTheWay,

        // Operator intervention: starting up, shutting down, dropped; or this statement was canceled, by a time-out mostly.
        ["57"] = DatabaseErrorKind.Away,
        ["57014"] = DatabaseErrorKind.InTheWay,

        // Errors of the system below: input and output.
        ["58"] = DatabaseErrorKind.Away,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>What this error means, or the first of its causes that is one of a database; EF Core, for one, wraps them.</summary>
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
                    // Of several hosts: what one of them can mend is worth waiting for.
                    return kind;
                default:
                    continue;
            }
        }

        return DatabaseErrorKind.Refused;
    }

    /// <summary>Whether the same again may succeed later.</summary>
    public static bool MayPass(Exception exception) => KindOf(exception) != DatabaseErrorKind.Refused;
}
