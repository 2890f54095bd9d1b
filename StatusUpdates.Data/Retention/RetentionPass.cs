using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Data.Retention;

/// <summary>
/// One pass over what is old: each call is one short statement with its commit, and nothing is locked between two of them. Ages are by the
/// database's clock. A failed call has removed nothing, and the pass is over. Not thread-safe.
/// </summary>
/// <remarks>
/// That passes take turns saves work and is not needed for their results: a row that another one has removed meanwhile is left out.
/// Locks are taken as every writer takes them: generations, then user_streams, then generation_counts, each only once all rows are deleted
/// that need none. So a live writer waits for an update and a commit at most, not for the deletes.
/// </remarks>
public sealed class RetentionPass : IAsyncDisposable
{
    // Begins where the last batch ended: the index entries of what was deleted stay until vacuum, and are not walked again.
    private const string DeleteGenerationsSql =
        """
        -- delete generations
        WITH due AS MATERIALIZED (
            SELECT id, user_id, type, status, completed_at FROM generations
            WHERE completed_at >= $3 AND completed_at < now() - $1
            ORDER BY completed_at LIMIT $2
            FOR UPDATE SKIP LOCKED
        ),
        results AS (
            DELETE FROM generation_results WHERE generation_id = ANY (ARRAY(SELECT id FROM due)) RETURNING generation_id
        ),
        deleted AS (
            DELETE FROM generations WHERE id = ANY (ARRAY(SELECT id FROM due)) RETURNING user_id, type, status
        ),
        counted AS (
            INSERT INTO generation_counts AS c (user_id, type, status, count)
            SELECT user_id, type, status, -count(*) FROM deleted
            WHERE (SELECT count(*) FROM results) >= 0
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (user_id, type, status) DO UPDATE SET count = c.count + EXCLUDED.count
        )
        SELECT count(*)::int, max(completed_at) FROM due
        """;

    // By primary key alone, the first entry of each log included: costs those who write nothing.
    private const string FindOldLogsSql =
        """
        -- find old logs
        WITH walked AS MATERIALIZED (
            SELECT user_id, oldest_seq, last_seq FROM user_streams WHERE user_id > $1 ORDER BY user_id LIMIT $3
        )
        SELECT user_id, last_seq - oldest_seq + 1 FROM walked w
        WHERE (SELECT e.occurred_at < now() - $2 FROM status_events e WHERE e.user_id = w.user_id AND e.seq = w.oldest_seq)
        UNION ALL
        SELECT max(user_id), NULL FROM walked
        """;

    // The first entry that is not old ends what is removed, whatever the times behind it are. Entries are never updated, so that they can
    // be deleted where they were found.
    private const string TrimSql =
        """
        -- trim logs
        WITH found AS MATERIALIZED (
            SELECT e.ctid AS place, bool_and(e.occurred_at < now() - $2) OVER (PARTITION BY s.user_id ORDER BY e.seq) AS is_old
            FROM user_streams s
            CROSS JOIN LATERAL (
                SELECT ctid, seq, occurred_at FROM status_events WHERE user_id = s.user_id AND seq >= s.oldest_seq ORDER BY seq LIMIT $3) e
            WHERE s.user_id = ANY ($1)
        ),
        deleted AS (
            DELETE FROM status_events WHERE ctid = ANY (ARRAY(SELECT place FROM found WHERE is_old)) RETURNING user_id, seq, log_check(update_id) AS check_bits
        ),
        trimmed AS MATERIALIZED (
            SELECT user_id, max(seq) AS seq, (array_agg(check_bits ORDER BY seq DESC))[1] AS check_bits, count(*)::int AS count
            FROM deleted GROUP BY user_id
        ),
        streams AS MATERIALIZED (
            SELECT user_id FROM user_streams WHERE user_id = ANY ((SELECT array_agg(user_id) FROM trimmed)::text[])
            ORDER BY user_id
            FOR NO KEY UPDATE
        ),
        advanced AS (
            UPDATE user_streams s SET oldest_seq = t.seq + 1, trimmed_seq = t.seq, trimmed_check = t.check_bits
            FROM trimmed t JOIN streams l ON l.user_id = t.user_id
            WHERE s.user_id = t.user_id
        )
        SELECT user_id, count FROM trimmed
        """;

    // What is still to be delivered stays, however old, unless its webhook is gone. Begins where the last batch ended, for the same reason.
    private const string DeleteDeliveriesSql =
        """
        -- delete deliveries
        WITH old AS MATERIALIZED (
            SELECT d.id, d.created_at FROM webhook_deliveries d
            WHERE d.created_at >= $3 AND d.created_at < now() - $1
              AND (d.state <> 'pending' OR NOT EXISTS (SELECT FROM webhooks w WHERE w.id = d.webhook_id))
            ORDER BY d.created_at LIMIT $2
            FOR UPDATE SKIP LOCKED
        ),
        deleted AS (
            DELETE FROM webhook_deliveries WHERE id = ANY (ARRAY(SELECT id FROM old))
        )
        SELECT count(*)::int, max(created_at) FROM old
        """;

    // Which message of a chat tells of a generation matters while there can be more to tell.
    private const string DeleteMessagesSql =
        """
        -- forget messages
        DELETE FROM telegram_messages WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM telegram_messages WHERE updated_at < now() - $1 ORDER BY updated_at LIMIT $2 FOR UPDATE SKIP LOCKED))
        """;

    private readonly SessionLock _turn;
    private DateTimeOffset _createdFrom = DateTimeOffset.UnixEpoch;
    private DateTimeOffset _completedFrom = DateTimeOffset.UnixEpoch;

    internal RetentionPass(SessionLock turn) => _turn = turn;

    /// <summary>Deletes the next generations that came to their end longer ago than <paramref name="age"/>, with their results.</summary>
    /// <param name="age">How old, counted from their end.</param>
    /// <param name="limit">At most this many.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <returns>How many were deleted; fewer than <paramref name="limit"/> are the last ones.</returns>
    /// <exception cref="NpgsqlException">The database did not do it.</exception>
    public async Task<int> DeleteGenerationsAsync(TimeSpan age, int limit, CancellationToken cancellationToken = default)
    {
        var command = new NpgsqlCommand(DeleteGenerationsSql);
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = age });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        command.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = _completedFrom });
        var (count, last) = await _turn.Connection.WriteAsync(command, ReadDeletedAsync, cancellationToken);
        _completedFrom = last ?? _completedFrom;
        return count;
    }

    /// <summary>Deletes the next webhook deliveries that were made longer ago than <paramref name="age"/>, those that are over.</summary>
    /// <param name="age">How old.</param>
    /// <param name="limit">At most this many.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <returns>How many were deleted; fewer than <paramref name="limit"/> are the last ones.</returns>
    /// <exception cref="NpgsqlException">The database did not do it.</exception>
    public async Task<int> DeleteDeliveriesAsync(TimeSpan age, int limit, CancellationToken cancellationToken = default)
    {
        var command = new NpgsqlCommand(DeleteDeliveriesSql);
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = age });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        command.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = _createdFrom });
        var (count, last) = await _turn.Connection.WriteAsync(command, ReadDeletedAsync, cancellationToken);
        _createdFrom = last ?? _createdFrom;
        return count;
    }

    /// <summary>Forgets the next Telegram messages that were written longer ago than <paramref name="age"/>; the chats keep them.</summary>
    /// <param name="age">How old.</param>
    /// <param name="limit">At most this many.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <returns>How many; fewer than <paramref name="limit"/> are the last ones.</returns>
    /// <exception cref="NpgsqlException">The database did not do it.</exception>
    public async Task<int> ForgetMessagesAsync(TimeSpan age, int limit, CancellationToken cancellationToken = default)
    {
        var command = new NpgsqlCommand(DeleteMessagesSql);
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = age });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        return await _turn.Connection.WriteAsync(command, DatabaseWrites.RowsWrittenAsync, cancellationToken);
    }

    /// <summary>Looks through the logs of the next users.</summary>
    /// <param name="after">The last user that was looked at; empty to begin.</param>
    /// <param name="age">How old the first entry is.</param>
    /// <param name="users">How many users to look at.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <exception cref="NpgsqlException">The database did not do it.</exception>
    public async Task<OldLogs> FindOldLogsAsync(string after, TimeSpan age, int users, CancellationToken cancellationToken = default)
    {
        await using var command = new NpgsqlCommand(FindOldLogsSql, _turn.Connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = after });
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = age });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = users });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var logs = new List<LogPart>();
        string? last = null;
        while (await reader.ReadAsync(cancellationToken))
        {
            if (!reader.IsDBNull(1))
            {
                logs.Add(new LogPart(reader.GetString(0), reader.GetInt64(1)));
            }
            else if (!reader.IsDBNull(0))
            {
                last = reader.GetString(0);
            }
        }

        return new OldLogs(logs, last);
    }

    /// <summary>Removes the old entries at the beginning of these users' logs, and advances the logs' oldest position with them.</summary>
    /// <param name="userIds">Whose.</param>
    /// <param name="age">How old, counted from when the entry was made.</param>
    /// <param name="limit">At most this many of each log.</param>
    /// <param name="cancellationToken">Ends the statement.</param>
    /// <returns>How many were removed of each log; one that is not named had none.</returns>
    /// <exception cref="NpgsqlException">The database did not do it.</exception>
    public async Task<IReadOnlyList<LogPart>> TrimAsync(
        IReadOnlyCollection<string> userIds, TimeSpan age, int limit, CancellationToken cancellationToken = default)
    {
        var command = new NpgsqlCommand(TrimSql);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. userIds] });
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = age });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        return await _turn.Connection.WriteAsync(command, ReadTrimmedAsync, cancellationToken);
    }

    /// <summary>Gives the turn back; a connection that is lost has given it back already.</summary>
    public ValueTask DisposeAsync() => _turn.DisposeAsync();

    private static async Task<(int Count, DateTimeOffset? Last)> ReadDeletedAsync(NpgsqlDataReader reader)
    {
        await reader.ReadAsync();
        return (reader.GetInt32(0), reader.IsDBNull(1) ? null : reader.GetFieldValue<DateTimeOffset>(1));
    }

    private static async Task<IReadOnlyList<LogPart>> ReadTrimmedAsync(NpgsqlDataReader reader)
    {
        var trimmed = new List<LogPart>();
        while (await reader.ReadAsync())
        {
            trimmed.Add(new LogPart(reader.GetString(0), reader.GetInt32(1)));
        }

        return trimmed;
    }
}

/// <summary>So many entries of a user's log.</summary>
/// <param name="UserId">Whose.</param>
/// <param name="Count">How many.</param>
public readonly record struct LogPart(string UserId, long Count);

/// <summary>The logs, among those looked at, whose first entry is old.</summary>
/// <param name="Logs">With all entries that they have, old or not.</param>
/// <param name="Last">The last user looked at; null if there was none.</param>
public sealed record OldLogs(IReadOnlyList<LogPart> Logs, string? Last);
