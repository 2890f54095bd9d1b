using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.ChatLinks;

/// <summary>
/// Issues the codes that link a chat to a user. They fit into the 64 characters of <c>A-Za-z0-9_-</c> that Telegram passes on. As with tickets, only
/// hashes are stored, and times are the database's. Thread-safe.
/// </summary>
public sealed class TelegramLinkCodes(StatusDatabase database)
{
    // As with tickets, issuing removes some of the expired ones.
    private const int CleanUpBatch = 16;

    // Requests of one user are checked one after the other, each against what the ones before it have written: the lock is a statement of its own.
    private const string LockUserSql = "SELECT pg_advisory_xact_lock(hashtextextended('telegram_link_codes ' || $1, 0))";

    // An unused code counts as the chat that it may link, so linking needs no limit of its own. A repeat after an unknown outcome finds its own
    // row.
    private const string IssueSql =
        """
        -- issue link code
        WITH unused AS (
            DELETE FROM telegram_link_codes WHERE hash IN (
                SELECT hash FROM telegram_link_codes WHERE expires_at <= clock_timestamp() ORDER BY expires_at LIMIT $6 FOR UPDATE SKIP LOCKED)
        ),
        taken AS (
            SELECT (SELECT count(*) FROM telegram_link_codes WHERE user_id = $2 AND expires_at > clock_timestamp() AND hash <> $1) AS codes,
                   (SELECT count(*) FROM telegram_links WHERE user_id = $2) AS chats
        ),
        issued AS (
            INSERT INTO telegram_link_codes (hash, user_id, expires_at)
            SELECT $1, $2, clock_timestamp() + $3 FROM taken WHERE codes < $4 AND codes + chats < $5
            ON CONFLICT (hash) DO UPDATE SET expires_at = EXCLUDED.expires_at
            RETURNING expires_at
        )
        SELECT codes, (SELECT expires_at FROM issued) FROM taken
        """;

    /// <summary>Issues a code, unless the user has reached a limit.</summary>
    /// <param name="userId">The owner of the log that it links to.</param>
    /// <param name="lifetime">How long it can be used.</param>
    /// <param name="maxCodes">The maximum number of unused codes.</param>
    /// <param name="maxChats">The maximum number of chats.</param>
    /// <param name="cancellationToken">Stops waiting; the code may still be committed.</param>
    /// <exception cref="NpgsqlException">The database was away longer than <see cref="StatusDatabaseOptions.RetryFor"/>.</exception>
    public async Task<LinkCodeResult> IssueAsync(
        string userId, TimeSpan lifetime, int maxCodes, int maxChats, CancellationToken cancellationToken = default)
    {
        var text = SingleUseCode.Create();
        return await database.RetryAsync(
            token =>
            {
                var batch = new NpgsqlBatch();
                batch.BatchCommands.Add(new NpgsqlBatchCommand(LockUserSql) { Parameters = { new NpgsqlParameter<string> { TypedValue = userId } } });
                batch.BatchCommands.Add(new NpgsqlBatchCommand(IssueSql)
                {
                    Parameters =
                    {
                        new NpgsqlParameter<byte[]> { TypedValue = SingleUseCode.HashOf(text) },
                        new NpgsqlParameter<string> { TypedValue = userId },
                        new NpgsqlParameter<TimeSpan> { TypedValue = lifetime },
                        new NpgsqlParameter<int> { TypedValue = maxCodes },
                        new NpgsqlParameter<int> { TypedValue = maxChats },
                        new NpgsqlParameter<int> { TypedValue = CleanUpBatch },
                    },
                });
                return database.WriteAsync(
                    batch,
                    async reader =>
                    {
                        await reader.NextResultAsync();
                        await reader.ReadAsync();
                        return reader.IsDBNull(1)
                            ? new LinkCodeResult(null, reader.GetInt64(0) >= maxCodes ? LinkCodeRefusal.TooManyCodes : LinkCodeRefusal.TooManyChats)
                            : new LinkCodeResult(new IssuedLinkCode(text, reader.GetFieldValue<DateTimeOffset>(1)), null);
                    },
                    token);
            },
            cancellationToken);
    }
}
