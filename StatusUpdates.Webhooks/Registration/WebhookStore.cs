using Npgsql;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;
using StatusUpdates.Webhooks.Messages;

namespace StatusUpdates.Webhooks.Registration;

/// <summary>
/// Registers, changes and removes webhooks, each with its cursor. Every call is one round trip and one commit, and may be repeated after an
/// unknown outcome. Locks are taken in the order of the deliverer: the cursor, the webhook, its deliveries. Thread-safe.
/// </summary>
public sealed class WebhookStore(StatusDatabase database)
{
    // Users with the same hash wait for each other a little longer. A statement of its own: the next one sees what was committed before it.
    private const string LockUserSql = "SELECT pg_advisory_xact_lock(1398230083, hashtext($1))";

    // Webhooks whose URLs differ only in the query, or in the case of letters, call the same place.
    private const string CountOfUrl = "(SELECT count(*) FROM webhooks WHERE user_id = $2 AND lower(split_part(url, '?', 1)) = lower(split_part($3, '?', 1)))";

    private const string CreateSql =
        $"""
        -- create webhook
        WITH existing AS (SELECT created_at FROM webhooks WHERE id = $1 AND user_id = $2),
        limit_check AS MATERIALIZED (
            SELECT CASE WHEN (SELECT count(*) FROM webhooks WHERE user_id = $2) >= $8 THEN 'webhooks' WHEN {CountOfUrl} >= $11 THEN 'url' END AS full_of
            WHERE NOT EXISTS (SELECT FROM existing)
        ),
        created AS (
            INSERT INTO webhooks (id, user_id, url, description, statuses, types, signing_keys, created_at, updated_at)
            SELECT $1, $2, $3, $4, $5, $6, $7, now(), now() FROM limit_check WHERE full_of IS NULL
            RETURNING created_at
        ),
        begun AS (
            INSERT INTO durable_cursors (owner, kind, user_id, last_seq, last_check, paused, troubled, epoch, nudges)
            SELECT $9, $10, $2, COALESCE(s.last_seq, 0), s.last_check, false, false, 0, 0
            FROM created LEFT JOIN user_streams s ON s.user_id = $2
        )
        SELECT (SELECT created_at FROM created UNION ALL SELECT created_at FROM existing), (SELECT full_of FROM limit_check)
        """;

    // Only a disabled webhook is enabled, and only a different URL counts as new: any other change could be used to skip delays and reset attempts.
    // A pending delivery without a time is due as soon as no other one of its generation is before it.
    private const string UpdateSql =
        $"""
        -- change webhook
        WITH before AS MATERIALIZED (
            SELECT id, disabled_at IS NOT NULL AS was_disabled, $3 IS NOT NULL AND $3 <> url AS is_moved
            FROM webhooks WHERE id = $1 AND user_id = $2 FOR UPDATE
        ),
        changed AS (
            UPDATE webhooks w SET
                url = COALESCE($3, w.url),
                description = CASE WHEN $4 THEN $5 ELSE w.description END,
                statuses = CASE WHEN $6 THEN $7 ELSE w.statuses END,
                types = CASE WHEN $8 THEN $9 ELSE w.types END,
                disabled_at = CASE $10 WHEN true THEN NULL WHEN false THEN COALESCE(w.disabled_at, now()) ELSE w.disabled_at END,
                disabled_reason = CASE $10 WHEN true THEN NULL WHEN false THEN COALESCE(w.disabled_reason, $11) ELSE w.disabled_reason END,
                failing_since = CASE WHEN b.is_moved OR ($10 AND b.was_disabled) THEN NULL ELSE w.failing_since END,
                last_success_at = CASE WHEN b.is_moved THEN NULL ELSE w.last_success_at END,
                updated_at = now()
            FROM before b
            WHERE w.id = b.id AND ({IsRoomForUrl})
            RETURNING w.id, b.is_moved OR COALESCE($10 AND b.was_disabled, false) AS restarts
        ),
        restarted AS (
            UPDATE webhook_deliveries d SET attempt = 0, next_attempt_at = NULL
            FROM changed c WHERE c.restarts AND d.webhook_id = c.id AND d.state = 'pending'
        )
        SELECT EXISTS (SELECT FROM before), EXISTS (SELECT FROM changed)
        """;

    // $1 is the webhook's id, or its cursor's owner; $12 is the maximum number of webhooks with the URL $3.
    private const string IsRoomForUrl =
        """
        $3 IS NULL OR (
            SELECT count(*) FROM webhooks o
            WHERE o.user_id = $2 AND $1 NOT IN (o.id, 'webhook:' || o.id) AND lower(split_part(o.url, '?', 1)) = lower(split_part($3, '?', 1))) < $12
        """;

    // A repeat finds its own keys, which counts as replaced.
    private const string ReplaceKeysSql =
        """
        -- rotate secret
        UPDATE webhooks SET signing_keys = $4, updated_at = now()
        WHERE id = $1 AND user_id = $2 AND (signing_keys = $3 OR signing_keys = $4)
        RETURNING updated_at
        """;

    /// <summary>Registers a webhook; its cursor begins at the log's head.</summary>
    /// <param name="webhook">The webhook; its times are set here.</param>
    /// <param name="limits">The user's limits, checked and used up atomically.</param>
    /// <param name="cancellationToken">Stops waiting; the webhook may still be committed.</param>
    /// <returns>When it was registered, or the limit that the user has reached.</returns>
    /// <exception cref="NpgsqlException">The database did not answer in time; the call may be repeated.</exception>
    public Task<WebhookCreation> CreateAsync(Webhook webhook, WebhookLimits limits, CancellationToken cancellationToken = default) => database.RetryAsync(
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
                    new NpgsqlParameter<int> { TypedValue = limits.PerUser },
                    Text(WebhookIds.CursorOwner(webhook.Id)),
                    Text(WebhookIds.CursorKind),
                    new NpgsqlParameter<int> { TypedValue = limits.PerUrl },
                },
            });
            return database.WriteAsync(
                batch,
                static async reader =>
                {
                    await reader.NextResultAsync();
                    await reader.ReadAsync();
                    return reader.IsDBNull(0)
                        ? new WebhookCreation(null, reader.GetString(1) == "url" ? WebhookLimit.PerUrl : WebhookLimit.PerUser)
                        : new WebhookCreation(reader.GetFieldValue<DateTimeOffset>(0), null);
                },
                token);
        },
        cancellationToken);

    /// <summary>
    /// Changes a webhook. A delivery run with the old settings is stopped, and a new holder continues at once with the new ones. When disabled, its
    /// cursor is paused. When enabled after it was disabled, or with another URL, its failures are cleared, and pending deliveries are attempted at
    /// once, starting with the first attempt. With another URL it has not accepted a delivery yet.
    /// </summary>
    /// <param name="userId">The user.</param>
    /// <param name="webhookId">The webhook.</param>
    /// <param name="change">The change.</param>
    /// <param name="maxPerUrl">The maximum number of the user's webhooks with the new URL, if there is one.</param>
    /// <param name="cancellationToken">Stops waiting; the change may still be committed.</param>
    /// <exception cref="NpgsqlException">The database did not answer in time; the call may be repeated.</exception>
    public Task<WebhookUpdate> UpdateAsync(
        string userId, string webhookId, WebhookChange change, int maxPerUrl, CancellationToken cancellationToken = default) => database.RetryAsync(
            token =>
            {
                var batch = new NpgsqlBatch();
                if (change.Url is not null)
                {
                    batch.BatchCommands.Add(new(LockUserSql) { Parameters = { Text(userId) } });
                }

                foreach (var statement in CursorStatements(change))
                {
                    batch.BatchCommands.Add(CursorCommand(statement, userId, webhookId, change.Url, maxPerUrl));
                }

                batch.BatchCommands.Add(new(UpdateSql)
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
                        new NpgsqlParameter<bool?> { TypedValue = change.Enabled },
                        Text(DisabledReason.Owner),
                        new NpgsqlParameter<int> { TypedValue = maxPerUrl },
                    },
                });
                return database.WriteAsync(
                    batch,
                    async reader =>
                    {
                        if (change.Url is not null)
                        {
                            // The lock's result.
                            await reader.NextResultAsync();
                        }

                        await reader.ReadAsync();
                        return (reader.GetBoolean(0), reader.GetBoolean(1)) switch
                        {
                            (_, true) => WebhookUpdate.Changed,
                            (true, _) => WebhookUpdate.TooManyOfUrl,
                            _ => WebhookUpdate.NotFound,
                        };
                    },
                    token);
            },
            cancellationToken);

    /// <summary>Removes a webhook with its cursor: a delivery run is stopped. Retention removes its deliveries.</summary>
    /// <exception cref="NpgsqlException">The database did not answer in time; the call may be repeated.</exception>
    public Task DeleteAsync(string userId, string webhookId, CancellationToken cancellationToken = default) => database.RetryAsync(
        token =>
        {
            var batch = new NpgsqlBatch();
            batch.BatchCommands.Add(CursorCommand("DELETE FROM durable_cursors WHERE owner = $1", userId, webhookId));
            batch.BatchCommands.Add(new("-- delete webhook\nDELETE FROM webhooks WHERE id = $1 AND user_id = $2") { Parameters = { Text(webhookId), Text(userId) } });
            return database.WriteAsync(batch, DatabaseWrites.RowsWrittenAsync, token);
        },
        cancellationToken);

    /// <summary>
    /// Replaces the signing keys, if they are still those that the new ones were made from. A delivery run with the old keys is stopped, and a new
    /// holder continues at once with the new ones.
    /// </summary>
    /// <param name="userId">The user.</param>
    /// <param name="webhookId">The webhook.</param>
    /// <param name="known">The current keys, encrypted as they were read.</param>
    /// <param name="signingKeys">The new keys, encrypted.</param>
    /// <param name="cancellationToken">Stops waiting; the keys may still be committed.</param>
    /// <returns>When they were replaced; null if the webhook or the known keys are gone.</returns>
    /// <exception cref="NpgsqlException">The database did not answer in time; the call may be repeated.</exception>
    public Task<DateTimeOffset?> ReplaceKeysAsync(
        string userId, string webhookId, byte[] known, byte[] signingKeys, CancellationToken cancellationToken = default) => database.RetryAsync(
        token =>
        {
            var batch = new NpgsqlBatch();
            batch.BatchCommands.Add(CursorCommand(CursorSql.Interrupt, userId, webhookId));
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
            return database.WriteAsync(
                batch, static async reader => await reader.ReadAsync() ? reader.GetFieldValue<DateTimeOffset>(0) : (DateTimeOffset?)null, token);
        },
        cancellationToken);

    /// <summary>A statement of <see cref="CursorSql"/> on a webhook's cursor, if the webhook is this user's.</summary>
    internal static NpgsqlBatchCommand CursorCommand(string sql, string userId, string webhookId) =>
        new(sql + " AND user_id = $2") { Parameters = { Text(WebhookIds.CursorOwner(webhookId)), Text(userId) } };

    // Does nothing if the change will be refused: the cursor must be locked before the statement that decides.
    private static NpgsqlBatchCommand CursorCommand(string sql, string userId, string webhookId, string? url, int maxPerUrl)
    {
        var command = CursorCommand(sql, userId, webhookId);
        if (url is not null)
        {
            command.CommandText += $" AND ({IsRoomForUrl.Replace("$12", "$4", StringComparison.Ordinal)})";
            command.Parameters.Add(Text(url));
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = maxPerUrl });
        }

        return command;
    }

    // A run reads once what to deliver, and where to: a run from before the change must not continue, nor judge the webhook by its results.
    private static IEnumerable<string> CursorStatements(WebhookChange change)
    {
        if (change.Enabled is { } enabled)
        {
            yield return enabled ? CursorSql.Resume + " AND paused" : CursorSql.Pause;
        }

        if (change is { Enabled: not false } and ({ Url: not null } or { SetsStatuses: true } or { SetsTypes: true }))
        {
            yield return CursorSql.Interrupt;
        }
    }

    internal static NpgsqlParameter<string?> Text(string? value) => new() { TypedValue = value };

    private static NpgsqlParameter<string[]?> Texts(string[]? values) => new() { TypedValue = values };
}

/// <summary>A change of a webhook; what is not set stays.</summary>
public sealed record WebhookChange
{
    /// <summary>The new URL; null to keep it.</summary>
    public string? Url { get; init; }

    /// <summary>Whether <see cref="Description"/> is set.</summary>
    public bool SetsDescription { get; init; }

    /// <summary>The owner's description; null for none.</summary>
    public string? Description { get; init; }

    /// <summary>Whether <see cref="Statuses"/> is set.</summary>
    public bool SetsStatuses { get; init; }

    /// <summary>The statuses to deliver, by wire name; null for all.</summary>
    public string[]? Statuses { get; init; }

    /// <summary>Whether <see cref="Types"/> is set.</summary>
    public bool SetsTypes { get; init; }

    /// <summary>The types to deliver, by wire name; null for all.</summary>
    public string[]? Types { get; init; }

    /// <summary>Whether updates are delivered; null to keep it.</summary>
    public bool? Enabled { get; init; }
}

/// <summary>The maximum numbers of webhooks.</summary>
/// <param name="PerUser">For one user.</param>
/// <param name="PerUrl">For one user at one URL, regardless of its query.</param>
public readonly record struct WebhookLimits(int PerUser, int PerUrl);

/// <summary>The limit that prevented a registration.</summary>
public enum WebhookLimit
{
    /// <summary>The user has the maximum number of webhooks.</summary>
    PerUser,

    /// <summary>The user has the maximum number of webhooks at this URL.</summary>
    PerUrl,
}

/// <summary>The result of a registration.</summary>
/// <param name="At">When it was registered; null if it was not.</param>
/// <param name="Limit">Why it was not; null if it was.</param>
public readonly record struct WebhookCreation(DateTimeOffset? At, WebhookLimit? Limit);

/// <summary>The outcome of a change.</summary>
public enum WebhookUpdate
{
    /// <summary>The change was made.</summary>
    Changed,

    /// <summary>This user has no such webhook.</summary>
    NotFound,

    /// <summary>The user has the maximum number of webhooks at the new URL. Nothing has changed.</summary>
    TooManyOfUrl,
}
