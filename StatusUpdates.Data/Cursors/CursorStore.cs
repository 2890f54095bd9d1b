using Npgsql;
using NpgsqlTypes;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Cursors;

/// <summary>The durable cursors. Each has at most one holder, who alone may move it. Thread-safe; one instance serves a process.</summary>
internal sealed class CursorStore(StatusDatabase database)
{
    /// <summary>Claims free cursors of some users that have work. What is claimed although the caller stopped waiting is free after the lease.</summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<IReadOnlyList<DurableCursor>> ClaimOfUsersAsync(
        CursorClaim request, string[] users, CancellationToken cancellationToken)
    {
        var command = CommandOf(CursorSql.ClaimOfUsers, request);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = users });
        return (await database.WriteAsync(command, ReadAsync, cancellationToken)).Claimed;
    }

    /// <summary>
    /// Scans the next <paramref name="window"/> cursors of the kind after the owner <paramref name="after"/> (empty to begin), and claims those that are
    /// free and have work, as <see cref="ClaimOfUsersAsync"/> does.
    /// </summary>
    /// <returns>The claimed cursors, and the last owner scanned; null if there are no more.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<(IReadOnlyList<DurableCursor> Claimed, string? Last)> ClaimNextAsync(
        CursorClaim request, string after, int window, CancellationToken cancellationToken)
    {
        var command = CommandOf(CursorSql.ClaimNext, request);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = after });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = window });
        return await database.WriteAsync(command, ReadAsync, cancellationToken);
    }

    /// <summary>Extends leases.</summary>
    /// <returns>The owners of the cursors that are still held; the others are lost.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<IReadOnlySet<string>> RenewAsync(
        IReadOnlyCollection<DurableCursor> cursors, TimeSpan lease, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(CursorSql.Renew);
        AddHeld(command, cursors);
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = lease });
        return await database.WriteAsync(
            command,
            static async reader => (await reader.ReadAllAsync(row => row.GetString(0))).ToHashSet(StringComparer.Ordinal),
            cancellationToken);
    }

    /// <summary>Stores a position and its effect, in one statement.</summary>
    /// <exception cref="CursorLostException">The cursor is no longer held under this epoch; nothing was stored.</exception>
    /// <exception cref="NpgsqlException">The database did not execute it in time, or refused it.</exception>
    public async Task SaveAsync(DurableCursor cursor, CursorSave save, CursorEffect? effect, CancellationToken cancellationToken)
    {
        var held = await database.RetryAsync(
            token =>
            {
                var command = new NpgsqlCommand($"{CursorSql.Save}{effect?.Sql} SELECT count(*)::int FROM held");
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = cursor.Owner });
                command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = cursor.Epoch });
                command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = save.Position.Seq });
                command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = save.State, NpgsqlDbType = NpgsqlDbType.Jsonb });
                command.Parameters.Add(new NpgsqlParameter<bool> { TypedValue = save.IsTroubled });
                command.Parameters.Add(new NpgsqlParameter<TimeSpan?> { TypedValue = save.NotBefore });
                command.Parameters.Add(new NpgsqlParameter<TimeSpan?> { TypedValue = save.DueAfter });
                command.Parameters.Add(new NpgsqlParameter<bool> { TypedValue = save.Release });
                command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = cursor.Nudges });
                command.Parameters.Add(new NpgsqlParameter<int?> { TypedValue = (int?)save.Position.Check });
                effect?.Parameters(command.Parameters);
                return database.WriteAsync(
                    command, static async reader => await reader.ReadAsync() ? reader.GetInt32(0) : 0, token);
            },
            cancellationToken);
        if (held == 0)
        {
            throw new CursorLostException(cursor.Owner);
        }
    }

    /// <summary>Gives a cursor back as it was last stored, to be claimed again after a pause. A lost cursor is left alone.</summary>
    /// <exception cref="NpgsqlException">The database does not answer: the cursor becomes free when its lease expires.</exception>
    public async Task GiveBackAsync(DurableCursor cursor, TimeSpan? pause, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(CursorSql.GiveBack);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = cursor.Owner });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = cursor.Epoch });
        command.Parameters.Add(new NpgsqlParameter<TimeSpan?> { TypedValue = pause });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = cursor.Nudges });
        await database.WriteAsync(command, cancellationToken);
    }

    private static NpgsqlCommand CommandOf(string sql, CursorClaim request)
    {
        var command = new NpgsqlCommand(sql);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = request.Kind });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = request.Limit });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = request.TroubledLimit });
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = request.Lease });
        AddHeld(command, request.HeldHere);
        return command;
    }

    private static void AddHeld(NpgsqlCommand command, IReadOnlyCollection<DurableCursor> cursors)
    {
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. cursors.Select(c => c.Owner)] });
        command.Parameters.Add(new NpgsqlParameter<long[]> { TypedValue = [.. cursors.Select(c => c.Epoch)] });
    }

    private static async Task<(IReadOnlyList<DurableCursor> Claimed, string? Last)> ReadAsync(NpgsqlDataReader reader)
    {
        var claimed = new List<DurableCursor>();
        string? last = null;
        while (await reader.ReadAsync())
        {
            if (reader.IsDBNull(1))
            {
                last = reader.IsDBNull(0) ? null : reader.GetString(0);
                continue;
            }

            claimed.Add(new DurableCursor(
                reader.GetString(0),
                reader.GetString(1),
                new LogPosition(reader.GetInt64(2), EventReader.ReadCheck(reader, 7)),
                reader.IsDBNull(3) ? null : reader.GetString(3),
                reader.GetBoolean(4),
                reader.GetInt64(5),
                reader.GetInt64(6)));
        }

        return (claimed, last);
    }
}
