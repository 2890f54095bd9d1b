using System.Data;
using System.Globalization;
using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.ChatLinks;

/// <summary>
/// Which chat receives whose updates, and from which bot. A link and its cursor are created and removed in one statement: no link is without a
/// cursor, and no cursor without a link. Thread-safe.
/// </summary>
public sealed class TelegramLinkStore(StatusDatabase database)
{
    private const string KindPrefix = "telegram-";

    // The owner of the cursor of a row of telegram_links: the same as CursorOwner.
    private const string OwnerOfLink = $"'{KindPrefix}' || l.bot_id || ':' || l.chat_id";

    // A chat that is linked to the same user again keeps its position, and misses nothing. One that is linked to another user begins at the new
    // log's head, under a new epoch: a holder that still reads the old log can save nothing more. Neither can one whose cursor was removed and
    // created again: epochs begin with the time, in microseconds, and increase by one with each claim, so none is used twice. Another bot continues
    // from the position of the former one, with a cursor of its own; it cannot edit the former one's messages.
    private const string LinkSql =
        $"""
        -- link chat
        WITH used AS (
            DELETE FROM telegram_link_codes WHERE hash = $1 AND expires_at > clock_timestamp() RETURNING user_id
        ),
        linked AS (
            INSERT INTO telegram_links AS l (chat_id, bot_id, user_id, chat_name, topic_id, linked_at)
            SELECT $2, $6, user_id, $3, $7, clock_timestamp() FROM used
            ON CONFLICT (chat_id) DO UPDATE SET
                bot_id = EXCLUDED.bot_id, user_id = EXCLUDED.user_id, chat_name = EXCLUDED.chat_name, topic_id = EXCLUDED.topic_id,
                linked_at = CASE WHEN l.user_id = EXCLUDED.user_id THEN l.linked_at ELSE EXCLUDED.linked_at END
        ),
        former AS (
            DELETE FROM durable_cursors c USING telegram_links l, used
            WHERE l.chat_id = $2 AND l.bot_id <> $6 AND c.owner = {OwnerOfLink}
            RETURNING c.user_id, c.last_seq, c.last_check
        ),
        placed AS (
            INSERT INTO durable_cursors AS c (owner, kind, user_id, last_seq, last_check, paused, troubled, epoch, nudges)
            SELECT $4, $5, u.user_id, COALESCE(p.last_seq, 0), p.last_check,
                false, false, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 0
            FROM used u LEFT JOIN LATERAL (
                SELECT f.last_seq, f.last_check, 0 AS rank FROM former f WHERE f.user_id = u.user_id
                UNION ALL
                SELECT s.last_seq, s.last_check, 1 FROM user_streams s WHERE s.user_id = u.user_id
                ORDER BY rank LIMIT 1) p ON true
            ON CONFLICT (owner) DO UPDATE SET
                user_id = EXCLUDED.user_id, last_seq = EXCLUDED.last_seq, last_check = EXCLUDED.last_check, state = NULL, paused = false, troubled = false,
                not_before = NULL, due_at = NULL, epoch = c.epoch + 1, lease_expires_at = NULL
            WHERE c.user_id <> EXCLUDED.user_id
        ),
        removed_messages AS (
            DELETE FROM telegram_messages WHERE chat_id = $2 AND EXISTS (
                SELECT FROM telegram_links l JOIN used ON l.user_id <> used.user_id OR l.bot_id <> $6 WHERE l.chat_id = $2)
        )
        SELECT user_id FROM used
        """;

    private const string UnlinkSql =
        $"""
        -- unlink chat
        WITH unlinked AS (
            DELETE FROM telegram_links l
            WHERE chat_id = $1 AND ($2::text IS NULL OR user_id = $2) AND ($3::bigint IS NULL OR bot_id = $3)
            RETURNING {OwnerOfLink} AS owner
        ),
        removed_cursor AS (
            DELETE FROM durable_cursors WHERE owner = (SELECT owner FROM unlinked)
        ),
        removed_messages AS (
            DELETE FROM telegram_messages WHERE chat_id = $1 AND EXISTS (SELECT FROM unlinked)
        )
        SELECT count(*) FROM unlinked
        """;

    // A group that moves had no topics before. If the new chat is linked already, the old link ends. The cursor keeps its state: what was sent of an
    // entry stays sent.
    private const string MoveSql =
        """
        -- move chat
        WITH old_link AS (
            DELETE FROM telegram_links WHERE chat_id = $1 AND bot_id = $5 RETURNING bot_id, user_id, chat_name, linked_at
        ),
        moved AS (
            INSERT INTO telegram_links (chat_id, bot_id, user_id, chat_name, linked_at)
            SELECT $2, bot_id, user_id, chat_name, linked_at FROM old_link
            ON CONFLICT (chat_id) DO NOTHING
            RETURNING chat_id
        ),
        followed AS (
            UPDATE durable_cursors SET owner = $4, epoch = epoch + 1, lease_expires_at = NULL
            WHERE owner = $3 AND EXISTS (SELECT FROM moved)
        ),
        removed_cursor AS (
            DELETE FROM durable_cursors WHERE owner = $3 AND NOT EXISTS (SELECT FROM moved)
        )
        DELETE FROM telegram_messages WHERE chat_id = $1 AND EXISTS (SELECT FROM old_link)
        """;

    /// <summary>The kind of a bot's cursors. Each bot has its own: one that is started on another one's database by mistake finds no work.</summary>
    public static string CursorKind(long botId) => string.Create(CultureInfo.InvariantCulture, $"{KindPrefix}{botId}");

    /// <summary>The owner of a chat's cursor.</summary>
    public static string CursorOwner(long botId, long chatId) => string.Create(CultureInfo.InvariantCulture, $"{CursorKind(botId)}:{chatId}");

    /// <summary>The chat of a cursor.</summary>
    public static long ChatOf(string cursorOwner) =>
        long.Parse(cursorOwner.AsSpan(cursorOwner.IndexOf(':', StringComparison.Ordinal) + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    /// <summary>
    /// Uses up a code: from now on the chat receives its user's updates, and nobody else's. Not repeated after an unknown outcome: the code may have
    /// been used, which <see cref="FindUserAsync"/> shows.
    /// </summary>
    /// <param name="code">The code, as the user entered it.</param>
    /// <param name="botId">Telegram's id of the bot that writes to the chat.</param>
    /// <param name="chatId">The chat.</param>
    /// <param name="chatName">Telegram's name of it, if there is one.</param>
    /// <param name="topicId">The topic of the chat to write to; null for none.</param>
    /// <param name="cancellationToken">Stops waiting; the link may still be committed.</param>
    /// <returns>The user; null if the code does not exist, was used or has expired: then nothing has changed.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<string?> LinkAsync(
        string code, long botId, long chatId, string? chatName, int? topicId, CancellationToken cancellationToken = default)
    {
        if (!SingleUseCode.IsWellFormed(code))
        {
            return null;
        }

        var command = new NpgsqlCommand(LinkSql);
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = SingleUseCode.HashOf(code) });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = chatId });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = chatName });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = CursorOwner(botId, chatId) });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = CursorKind(botId) });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = botId });
        command.Parameters.Add(new NpgsqlParameter<int?> { TypedValue = topicId });
        return await database.WriteAsync(
            command, static async reader => await reader.ReadAsync() ? reader.GetString(0) : null, cancellationToken);
    }

    /// <summary>Removes a chat's topic, which no longer exists: the bot then writes outside of topics, in what Telegram calls General.</summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task LeaveTopicAsync(long botId, long chatId, int topicId, CancellationToken cancellationToken = default)
    {
        var command = new NpgsqlCommand(
            "-- leave topic\nUPDATE telegram_links SET topic_id = NULL WHERE chat_id = $1 AND bot_id = $2 AND topic_id = $3");
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = chatId });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = botId });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = topicId });
        await database.WriteAsync(command, cancellationToken);
    }

    /// <summary>Removes a chat's link.</summary>
    /// <param name="chatId">The chat.</param>
    /// <param name="userId">Only if it is this user's; null for any user.</param>
    /// <param name="botId">Only if it is this bot's; null for any bot.</param>
    /// <param name="cancellationToken">Stops waiting; the removal may still be committed.</param>
    /// <returns>Whether there was such a link.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<bool> UnlinkAsync(long chatId, string? userId, long? botId, CancellationToken cancellationToken = default)
    {
        var command = new NpgsqlCommand(UnlinkSql);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = chatId });
        command.Parameters.Add(new NpgsqlParameter<string?> { TypedValue = userId });
        command.Parameters.Add(new NpgsqlParameter<long?> { TypedValue = botId });
        return await database.WriteAsync(
            command, static async reader => await reader.ReadAsync() && reader.GetInt64(0) == 1, cancellationToken);
    }

    /// <summary>Moves the link and the position of a group that became a supergroup, and got another id.</summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task MoveAsync(long botId, long fromChatId, long toChatId, CancellationToken cancellationToken = default)
    {
        var command = new NpgsqlCommand(MoveSql);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = fromChatId });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = toChatId });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = CursorOwner(botId, fromChatId) });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = CursorOwner(botId, toChatId) });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = botId });
        await database.WriteAsync(command, cancellationToken);
    }

    /// <summary>A user's chats, the oldest link first.</summary>
    public Task<IReadOnlyList<LinkedChat>> ListAsync(string userId, CancellationToken cancellationToken = default) =>
        StatusDatabase.ReadAsync<IReadOnlyList<LinkedChat>>(
            async token =>
            {
                await using var command = database.DataSource.CreateCommand(
                    "-- list chats\nSELECT chat_id, chat_name, linked_at FROM telegram_links WHERE user_id = $1 ORDER BY linked_at, chat_id");
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = userId });
                await using var reader = await command.ExecuteReaderAsync(token);
                return await reader.ReadAllAsync(
                    static row => new LinkedChat(row.GetInt64(0), row.IsDBNull(1) ? null : row.GetString(1), row.GetFieldValue<DateTimeOffset>(2)),
                    token);
            },
            cancellationToken);

    /// <summary>The user whose updates this bot sends to a chat; null if it is not linked to this bot.</summary>
    public Task<string?> FindUserAsync(long botId, long chatId, CancellationToken cancellationToken = default) => StatusDatabase.ReadAsync(
        async token =>
        {
            await using var command = database.DataSource.CreateCommand("-- find user\nSELECT user_id FROM telegram_links WHERE chat_id = $1 AND bot_id = $2");
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = chatId });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = botId });
            return (string?)await command.ExecuteScalarAsync(token);
        },
        cancellationToken);

    /// <summary>How many chats are linked to other bots.</summary>
    public Task<long> CountLinksOfOtherBotsAsync(long botId, CancellationToken cancellationToken = default) => StatusDatabase.ReadAsync(
        async token =>
        {
            await using var command = database.DataSource.CreateCommand("-- count others\nSELECT count(*) FROM telegram_links WHERE bot_id <> $1");
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = botId });
            return (long)(await command.ExecuteScalarAsync(token))!;
        },
        cancellationToken);

    /// <summary>A chat, as linked to a bot, with the latest messages about these generations.</summary>
    public Task<ChatState> FindChatAsync(
        long botId, long chatId, IReadOnlyCollection<string> generationIds, CancellationToken cancellationToken = default) => StatusDatabase.ReadAsync(
        async token =>
        {
            await using var command = database.DataSource.CreateCommand(
                """
                -- find chat
                SELECT l.topic_id, m.generation_id, m.message_id, m.status
                FROM telegram_links l LEFT JOIN telegram_messages m ON m.chat_id = l.chat_id AND m.generation_id = ANY ($3)
                WHERE l.chat_id = $1 AND l.bot_id = $2
                """);
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = chatId });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = botId });
            command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. generationIds] });
            await using var reader = await command.ExecuteReaderAsync(CommandBehavior.Default, token);
            int? topicId = null;
            var messages = new Dictionary<string, ChatMessage>(StringComparer.Ordinal);
            while (await reader.ReadAsync(token))
            {
                topicId = reader.IsDBNull(0) ? null : reader.GetInt32(0);
                if (!reader.IsDBNull(1))
                {
                    messages.Add(reader.GetString(1), new ChatMessage(reader.GetInt32(2), reader.GetString(3)));
                }
            }

            return new ChatState(topicId, messages);
        },
        cancellationToken);
}
