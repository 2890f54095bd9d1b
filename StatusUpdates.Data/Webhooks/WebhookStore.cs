using Npgsql;
using NpgsqlTypes;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Data.Webhooks;

/// <summary>
/// Registers, changes and removes webhooks, each with its cursor. Every call is one round trip and one commit, and may be repeated after an
/// unknown outcome. Locks come in the order that the deliverer takes them: the cursor, the webhook, its deliveries. Thread-safe.
/// </summary>
public sealed class WebhookStore(StatusDatabase database)
{
    // Users that share a lock wait for each other a moment longer. A statement of its own: the next one sees what was committed before it.
    private const string LockUserSql = "SELECT pg_advisory_xact_lock(1398230083, hashtext($1))";

    private const string CreateSql =
        $"""
        -- create webhook
        WITH existing AS (SELECT created_at FROM webhooks WHERE id = $1 AND user_id = $2),
        created AS (
            INSERT INTO webhooks (id, user_id, url, description, statuses, types, signing_keys, created_at, updated_at)
            SELECT $1, $2, $3, $4, $5, $6, $7, now(), now()
            WHERE NOT EXISTS (SELECT FROM existing) AND (SELECT count(*) FROM webhooks WHERE user_id = $2) < $8
            RETURNING created_at
        ),
        begun AS (
            INSERT INTO durable_cursors (owner, kind, user_id, last_seq, last_check, paused, troubled, epoch, nudges)
            SELECT $9, $10, $2, COALESCE(s.last_seq, 0), {LogSql.HeadCheck}, false, false, 0, 0
            FROM created LEFT JOIN user_streams s ON s.user_id = $2
        )
        SELECT created_at FROM created UNION ALL SELECT created_at FROM existing
        """;

    private const string UpdateSql =
        """
        -- change webhook
        UPDATE webhooks SET
            url = COALESCE($3, url),
            description = CASE WHEN $4 THEN $5 ELSE description END,
            statuses = CASE WHEN $6 THEN $7 ELSE statuses END,
            types = CASE WHEN $8 THEN $9 ELSE types END,
            disabled_at = CASE $10 WHEN true THEN NULL WHEN false THEN COALESCE(disabled_at, now()) ELSE disabled_at END,
            disabled_reason = CASE $10 WHEN true THEN NULL WHEN false THEN COALESCE(disabled_reason, $11) ELSE disabled_reason END,
            failing_since = CASE WHEN $10 OR $3 IS NOT NULL THEN NULL ELSE failing_since END,
            updated_at = now()
        WHERE id = $1 AND user_id = $2
        """;

    // Pending without a time: due as soon as nothing of its generation is before it.
    private const string RestartSql =
        """
        UPDATE webhook_deliveries SET attempt = 0, next_attempt_at = NULL
        WHERE webhook_id = $1 AND state = 'pending' AND EXISTS (SELECT FROM webhooks WHERE id = $1 AND user_id = $2)
        """;

    // A repeat finds its own keys, and has replaced them all the same.
    private const string ReplaceKeysSql =
        """
        -- rotate secret
        UPDATE webhooks SET signing_keys = $4, updated_at = now()
        WHERE id = $1 AND user_id = $2 AND (signing_keys = $3 OR signing_keys = $4)
        RETURNING updated_at
        """;

    /// <summary>Registers a webhook; its cursor begins at the log's head.</summary>
    /// <param name="webhook">The webhook; its times are set here.</param>
    /// <param name="maxPerUser">How many one user may have, counted and added to as one.</param>
    /// <param name="cancellationToken">Ends the waiting, not what is committed.</param>
    /// <returns>When it was registered; null if its user has as many as may be.</returns>
    /// <exception cref="NpgsqlException">The database did not answer in time; it may be repeated.</exception>
    public Task<DateTimeOffset?> CreateAsync(Webhook webhook, int maxPerUser, CancellationToken cancellationToken = default) => database.RetryAsync(
        token =>
        {
            var batch = new NpgsqlBatch();
            batch.BatchCommands.Add(new(LockUserSql) { Parameters = { Text(webhook.UserId) } });
            batch.BatchCommands.Add(new(CreateSql)
            {
                Parameters =
                {
                    Text(webhook.Id),
                    Text(webhook.UserId),
                    Text(webhook.Url),
                    Text(webhook.Description),
                    Texts(webhook.Statuses),
                    Texts(webhook.Types),
                    new NpgsqlParameter<byte[]> { TypedValue = webhook.SigningKeys },
                    new NpgsqlParameter<int> { TypedValue = maxPerUser },
                    Text(WebhookIds.CursorOwner(webhook.Id)),
                    Text(WebhookIds.CursorKind),
                },
            });
            return database.WriteAsync(
                batch,
                static async reader =>
                {
                    await reader.NextResultAsync();
                    return await ReadTimeAsync(reader);
                },
                token);
        },
        cancellationToken);

    /// <summary>
    /// Changes a webhook. Whoever is delivering to it as it was stops; a new holder goes on as it is now, at once. Disabled, its cursor rests.
    /// Enabled, or with another URL, it has no failures, and what is pending is attempted at once and from the first attempt on.
    /// </summary>
    /// <returns>Whether this user has such a webhook.</returns>
    /// <exception cref="NpgsqlException">The database did not answer in time; it may be repeated.</exception>
    public Task<bool> UpdateAsync(string userId, string webhookId, WebhookChange change, CancellationToken cancellationToken = default) =>
        database.RetryAsync(
            token =>
            {
                var batch = new NpgsqlBatch();
                if (StatementOfCursor(change) is { } statement)
                {
                    batch.BatchCommands.Add(OfCursor(statement, userId, webhookId));
                }

                var update = new NpgsqlBatchCommand(UpdateSql)
                {
                    Parameters =
                    {
                        Text(webhookId),
                        Text(userId),
                        Text(change.Url),
                        new NpgsqlParameter<bool> { TypedValue = change.SetsDescription },
                        Text(change.Description),
                        new NpgsqlParameter<bool> { TypedValue = change.SetsStatuses },
                        Texts(change.Statuses),
                        new NpgsqlParameter<bool> { TypedValue = change.SetsTypes },
                        Texts(change.Types),
                        new NpgsqlParameter { Value = (object?)change.Enabled ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Boolean },
                        Text(DisabledReason.Owner),
                    },
                };
                batch.BatchCommands.Add(update);
                if (change.Enabled == true || change.Url is not null)
                {
                    batch.BatchCommands.Add(new(RestartSql) { Parameters = { Text(webhookId), Text(userId) } });
                }

                return database.WriteAsync(
                    batch,
                    async reader =>
                    {
                        await DatabaseWrites.RowsWrittenAsync(reader);
                        return update.RecordsAffected > 0;
                    },
                    token);
            },
            cancellationToken);

    /// <summary>Removes a webhook with its cursor: whoever is delivering to it stops. Its deliveries go with retention.</summary>
    /// <exception cref="NpgsqlException">The database did not answer in time; it may be repeated.</exception>
    public Task DeleteAsync(string userId, string webhookId, CancellationToken cancellationToken = default) => database.RetryAsync(
        token =>
        {
            var batch = new NpgsqlBatch();
            batch.BatchCommands.Add(OfCursor("DELETE FROM durable_cursors WHERE owner = $1", userId, webhookId));
            batch.BatchCommands.Add(new("-- delete webhook\nDELETE FROM webhooks WHERE id = $1 AND user_id = $2") { Parameters = { Text(webhookId), Text(userId) } });
            return database.WriteAsync(batch, DatabaseWrites.RowsWrittenAsync, token);
        },
        cancellationToken);

    /// <summary>
    /// Replaces the signing keys, if they still are those that the new ones were made from. Whoever is delivering with these stops; a new holder
    /// goes on with the new ones, at once.
    /// </summary>
    /// <param name="userId">Whose webhook.</param>
    /// <param name="webhookId">Which webhook.</param>
    /// <param name="known">The present ones, encrypted as they were read.</param>
    /// <param name="signingKeys">The new ones, encrypted.</param>
    /// <param name="cancellationToken">Ends the waiting, not what is committed.</param>
    /// <returns>When; null if the webhook or these keys are gone.</returns>
    /// <exception cref="NpgsqlException">The database did not answer in time; it may be repeated.</exception>
    public Task<DateTimeOffset?> ReplaceKeysAsync(
        string userId, string webhookId, byte[] known, byte[] signingKeys, CancellationToken cancellationToken = default) => database.RetryAsync(
        token =>
        {
            var batch = new NpgsqlBatch();
            batch.BatchCommands.Add(OfCursor(CursorSql.Interrupt, userId, webhookId));
            batch.BatchCommands.Add(new(ReplaceKeysSql)
            {
                Parameters =
                {
                    Text(webhookId),
                    Text(userId),
                    new NpgsqlParameter<byte[]> { TypedValue = known },
                    new NpgsqlParameter<byte[]> { TypedValue = signingKeys },
                },
            });
            return database.WriteAsync(batch, ReadTimeAsync, token);
        },
        cancellationToken);

    /// <summary>A statement of <see cref="CursorSql"/> on a webhook's cursor, if the webhook is this user's.</summary>
    internal static NpgsqlBatchCommand OfCursor(string sql, string userId, string webhookId) =>
        new(sql + " AND user_id = $2") { Parameters = { Text(WebhookIds.CursorOwner(webhookId)), Text(userId) } };

    // What is delivered, and where to, is read once for a turn: a turn that began before must not go on, nor judge the webhook by what it meets.
    private static string? StatementOfCursor(WebhookChange change) => change switch
    {
        { Enabled: true } => CursorSql.Resume,
        { Enabled: false } => CursorSql.Pause,
        { Url: not null } or { SetsStatuses: true } or { SetsTypes: true } => CursorSql.Interrupt,
        _ => null,
    };

    private static async Task<DateTimeOffset?> ReadTimeAsync(NpgsqlDataReader reader) =>
        await reader.ReadAsync() ? reader.GetFieldValue<DateTimeOffset>(0) : null;

    internal static NpgsqlParameter Text(string? value) => new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text };

    private static NpgsqlParameter Texts(string[]? values) =>
        new() { Value = (object?)values ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
}

/// <summary>What changes of a webhook; what is not set stays.</summary>
public sealed record WebhookChange
{
    /// <summary>Where updates are posted; null to leave it.</summary>
    public string? Url { get; init; }

    /// <summary>Whether <see cref="Description"/> is set.</summary>
    public bool SetsDescription { get; init; }

    /// <summary>The owner's words; null for none.</summary>
    public string? Description { get; init; }

    /// <summary>Whether <see cref="Statuses"/> is set.</summary>
    public bool SetsStatuses { get; init; }

    /// <summary>Statuses that are wanted, by wire name; null for all.</summary>
    public string[]? Statuses { get; init; }

    /// <summary>Whether <see cref="Types"/> is set.</summary>
    public bool SetsTypes { get; init; }

    /// <summary>Types that are wanted, by wire name; null for all.</summary>
    public string[]? Types { get; init; }

    /// <summary>Whether updates are delivered; null to leave it.</summary>
    public bool? Enabled { get; init; }
}
