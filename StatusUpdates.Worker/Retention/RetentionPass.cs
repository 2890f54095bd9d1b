using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Worker.Retention;

/// <summary>
/// One pass that removes old data: each call is one short statement with its commit, and no row stays locked between calls. Ages are by the
/// database's clock. A failed call (<see cref="NpgsqlException"/>) has removed nothing, and ends the pass. Not thread-safe.
/// </summary>
/// <remarks>
/// Running one pass at a time saves work, but the results do not depend on it: a row that another pass has removed meanwhile is skipped.
/// Locks are taken in the order of all writers: generations, then user_streams, then generation_counts, and each only after all rows are
/// deleted that do not need it. So a live writer waits at most for an update and a commit, not for the deletes.
/// </remarks>
internal sealed class RetentionPass(SessionLock sessionLock) : IAsyncDisposable
{
    // Starts where the last batch ended: index entries of deleted rows stay until vacuum, and are not read again.
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
            DELETE FROM generation_results WHERE generation_id = ANY (ARRAY(SELECT id FROM due)) RETURNING id, bytes IS NULL AS is_stored
        ),
        removals AS (
            INSERT INTO content_removals (id, due_at) SELECT id, now() FROM results WHERE is_stored
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

    // Reads by primary key only, including the first entry of each log: writers pay nothing for it.
    private const string FindOldLogsSql =
        """
        -- find old logs
        WITH scanned AS MATERIALIZED (
            SELECT user_id, oldest_seq, last_seq FROM user_streams WHERE user_id > $1 ORDER BY user_id LIMIT $3
        )
        SELECT user_id, last_seq - oldest_seq + 1 FROM scanned w
        WHERE (SELECT e.occurred_at < now() - $2 FROM status_events e WHERE e.user_id = w.user_id AND e.seq = w.oldest_seq)
        UNION ALL
        SELECT max(user_id), NULL FROM scanned
        """;

    // Removal stops at the first entry that is not old, whatever the times after it are. Entries are never updated, so they can be deleted by the
    // place (ctid) where they were found.
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

    // Pending deliveries are kept, however old, unless their webhook is gone. Starts where the last batch ended, for the same reason as above.
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

    // The message of a generation in a chat is only needed while there can be more updates to show.
    private const string DeleteMessagesSql =
        """
        -- forget messages
        DELETE FROM telegram_messages WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM telegram_messages WHERE updated_at < now() - $1 ORDER BY updated_at LIMIT $2 FOR UPDATE SKIP LOCKED))
        """;

    private DateTimeOffset _createdFrom = DateTimeOffset.UnixEpoch;
    private DateTimeOffset _completedFrom = DateTimeOffset.UnixEpoch;

    /// <summary>Begins a pass, with a connection and a lock of its own. The lock is held as long as the connection lives.</summary>
    /// <returns>Null while another process has the lock.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public static async Task<RetentionPass?> TryBeginAsync(StatusDatabase database, CancellationToken cancellationToken = default) =>
        await SessionLock.TryTakeAsync(database, SessionLock.Retention, cancellationToken) is { } held ? new RetentionPass(held) : null;

    /// <summary>
    /// Deletes the next generations that ended longer ago than <paramref name="age"/>, with their results. Contents that are not in the database become
    /// due for removal in the same statement.
    /// </summary>
    /// <returns>How many were deleted; fewer than <paramref name="limit"/> if there are no more.</returns>
    public async Task<int> DeleteGenerationsAsync(TimeSpan age, int limit, CancellationToken cancellationToken = default)
    {
        (var count, _completedFrom) = await DeleteAsync(DeleteGenerationsSql, age, limit, _completedFrom, cancellationToken);
        return count;
    }

    /// <summary>Deletes the next webhook deliveries that have ended and were created longer ago than <paramref name="age"/>.</summary>
    /// <returns>How many were deleted; fewer than <paramref name="limit"/> if there are no more.</returns>
    public async Task<int> DeleteDeliveriesAsync(TimeSpan age, int limit, CancellationToken cancellationToken = default)
    {
        (var count, _createdFrom) = await DeleteAsync(DeleteDeliveriesSql, age, limit, _createdFrom, cancellationToken);
        return count;
    }

    /// <summary>Deletes the rows of the next Telegram messages written longer ago than <paramref name="age"/>; the chats keep the messages.</summary>
    /// <returns>How many were deleted; fewer than <paramref name="limit"/> if there are no more.</returns>
    public async Task<int> DeleteMessagesAsync(TimeSpan age, int limit, CancellationToken cancellationToken = default)
    {
        var command = new NpgsqlCommand(DeleteMessagesSql);
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = age });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        return await sessionLock.Connection.WriteAsync(command, DatabaseWrites.RowsWrittenAsync, cancellationToken);
    }

    /// <summary>
    /// Scans the next <paramref name="users"/> users after <paramref name="after"/> (empty to begin) for logs that begin with an old entry.
    /// </summary>
    public async Task<OldLogs> FindOldLogsAsync(string after, TimeSpan age, int users, CancellationToken cancellationToken = default)
    {
        await using var command = new NpgsqlCommand(FindOldLogsSql, sessionLock.Connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = after });
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = age });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = users });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var logs = new List<LogEntryCount>();
        string? last = null;
        while (await reader.ReadAsync(cancellationToken))
        {
            if (!reader.IsDBNull(1))
            {
                logs.Add(new LogEntryCount(reader.GetString(0), reader.GetInt64(1)));
            }
            else if (!reader.IsDBNull(0))
            {
                last = reader.GetString(0);
            }
        }

        return new OldLogs(logs, last);
    }

    /// <summary>
    /// Removes the old entries at the beginning of these users' logs, at most <paramref name="limit"/> of each, and advances the logs' oldest positions
    /// with them.
    /// </summary>
    /// <returns>How many were removed from each log; logs without any are omitted.</returns>
    public async Task<IReadOnlyList<LogEntryCount>> TrimAsync(
        IReadOnlyCollection<string> userIds, TimeSpan age, int limit, CancellationToken cancellationToken = default)
    {
        var command = new NpgsqlCommand(TrimSql);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. userIds] });
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = age });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        return await sessionLock.Connection.WriteAsync(
            command, static reader => reader.ReadAllAsync(row => new LogEntryCount(row.GetString(0), row.GetInt32(1))), cancellationToken);
    }

    /// <summary>Releases the lock; if the connection is lost, it was released already.</summary>
    public ValueTask DisposeAsync() => sessionLock.DisposeAsync();

    private async Task<(int Count, DateTimeOffset Last)> DeleteAsync(
        string sql, TimeSpan age, int limit, DateTimeOffset from, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql);
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = age });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        command.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = from });
        return await sessionLock.Connection.WriteAsync(
            command,
            async reader =>
            {
                await reader.ReadAsync();
                return (reader.GetInt32(0), reader.IsDBNull(1) ? from : reader.GetFieldValue<DateTimeOffset>(1));
            },
            cancellationToken);
    }
}

/// <summary>A number of entries of a user's log.</summary>
/// <param name="UserId">The user.</param>
/// <param name="Count">The number of entries.</param>
internal readonly record struct LogEntryCount(string UserId, long Count);

/// <summary>The scanned logs that begin with an old entry.</summary>
/// <param name="Logs">The logs, with the number of all their entries, old or not.</param>
/// <param name="Last">The last user scanned; null if there was none.</param>
internal sealed record OldLogs(IReadOnlyList<LogEntryCount> Logs, string? Last);
