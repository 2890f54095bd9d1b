using Npgsql;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Messaging;

namespace StatusUpdates.Bot.Notifications;

/// <summary>What is stored about a message, in the statement that stores that it was sent.</summary>
internal static class MessageEffects
{
    // Rows of generations whose end was never sent here, such as those of a trimmed log, would stay forever: each insert deletes a few old ones.
    private const string StoreSql =
        """
        , stored AS (
            INSERT INTO telegram_messages (chat_id, generation_id, message_id, status, updated_at)
            SELECT $11, $12, $13, $14, clock_timestamp() FROM held
            ON CONFLICT (chat_id, generation_id) DO UPDATE SET
                message_id = EXCLUDED.message_id, status = EXCLUDED.status, updated_at = EXCLUDED.updated_at
        ),
        old AS (
            DELETE FROM telegram_messages m USING (
                SELECT chat_id, generation_id FROM telegram_messages
                WHERE updated_at < now() - interval '30 days' AND EXISTS (SELECT FROM held)
                ORDER BY updated_at LIMIT 4 FOR UPDATE SKIP LOCKED) o
            WHERE m.chat_id = o.chat_id AND m.generation_id = o.generation_id AND (m.chat_id, m.generation_id) <> ($11, $12)
        )
        """;

    private const string RemoveSql =
        ", removed AS (DELETE FROM telegram_messages WHERE chat_id = $11 AND generation_id = $12 AND EXISTS (SELECT FROM held))";

    /// <summary>Stores the latest message about a generation. After a terminal status nothing follows, so the row is deleted.</summary>
    public static CursorEffect Sent(long chatId, StatusUpdate update, int messageId) => update.Status.IsTerminal()
        ? new CursorEffect(RemoveSql, parameters => AddKey(parameters, chatId, update))
        : new CursorEffect(
            StoreSql,
            parameters =>
            {
                AddKey(parameters, chatId, update);
                parameters.Add(new NpgsqlParameter<int> { TypedValue = messageId });
                parameters.Add(new NpgsqlParameter<string> { TypedValue = update.Status.ToWireName() });
            });

    private static void AddKey(NpgsqlParameterCollection parameters, long chatId, StatusUpdate update)
    {
        parameters.Add(new NpgsqlParameter<long> { TypedValue = chatId });
        parameters.Add(new NpgsqlParameter<string> { TypedValue = update.GenerationId });
    }
}
