using System.Text;
using Npgsql;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Database;
using StatusUpdates.Webhooks.Deliveries;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Webhooks.Replays;

/// <summary>
/// Makes deliveries pending that are not due to new log entries: tests and replays. Each call is one round trip and one commit, locks and nudges
/// the webhook's cursor first, and may be repeated after an unknown outcome. Thread-safe.
/// </summary>
/// <remarks>A pending delivery without a time is due as soon as no other one of its generation is before it (<see cref="DeliverySql"/>).</remarks>
public sealed class ReplayStore(StatusDatabase database, TimeProvider time)
{
    /// <summary>The longest range of a log that can be replayed at once, in entries.</summary>
    public const int MaxReplay = 10_000;

    /// <summary>With more pending deliveries than this, a webhook's replays are refused: each search for due ones reads them all.</summary>
    public const int MaxPending = 10_000;

    private const string TestSql =
        """
        -- test webhook
        WITH webhook AS (SELECT id, disabled_at FROM webhooks WHERE id = $1 AND user_id = $2),
        other AS MATERIALIZED (
            SELECT FROM webhook_deliveries
            WHERE webhook_id = $1 AND state = 'pending' AND generation_id IS NULL AND type = $5 AND id <> $3
            LIMIT 1
        ),
        test AS (
            INSERT INTO webhook_deliveries (id, webhook_id, message_id, type, body, state, attempt, created_at)
            SELECT $3, id, $4, $5, $6, 'pending', 0, now() FROM webhook WHERE disabled_at IS NULL AND NOT EXISTS (SELECT FROM other)
            ON CONFLICT (id) DO NOTHING
        )
        SELECT disabled_at IS NOT NULL, EXISTS (SELECT FROM other) FROM webhook
        """;

    // An update is read from the log: without its entry there is nothing to deliver.
    private const string ReplaySql =
        """
        -- replay delivery
        WITH found AS MATERIALIZED (
            SELECT d.id, d.state, w.disabled_at IS NOT NULL AS is_disabled, w.last_success_at IS NULL AS is_unproven,
                   d.body IS NULL AND NOT EXISTS (SELECT FROM status_events e WHERE e.user_id = $2 AND e.seq = d.seq) AS is_gone
            FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
            WHERE d.id = $3 AND d.webhook_id = $1 AND w.user_id = $2
        ),
        others AS MATERIALIZED (SELECT count(*) > $4 AS are_many FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'pending'),
        replayed AS (
            UPDATE webhook_deliveries d SET state = 'pending', attempt = 0, next_attempt_at = NULL
            FROM found f CROSS JOIN others o
            WHERE d.id = f.id AND f.state <> 'pending' AND NOT f.is_disabled AND NOT f.is_unproven AND NOT f.is_gone AND NOT o.are_many
        )
        SELECT state = 'pending', is_disabled, is_unproven, is_gone, are_many FROM found CROSS JOIN others
        """;

    // Ids are generated here, as UUIDv7 (RFC 9562, sections 5.7 and 6.2, method 1): 48 bits of milliseconds, the version, a counter of 12 bits, and
    // random bits that already contain the variant. So they sort like the log.
    private const string ReplayRangeSql =
        """
        -- replay range
        WITH webhook AS MATERIALIZED (
            SELECT w.id, w.statuses, w.types, w.disabled_at IS NOT NULL AS is_disabled, w.last_success_at IS NULL AS is_unproven, c.last_seq AS position,
                   COALESCE($4, c.last_seq) AS until, COALESCE(s.oldest_seq, 1) AS oldest, COALESCE(s.last_seq, 0) AS head,
                   (SELECT count(*) FROM webhook_deliveries d WHERE d.webhook_id = $1 AND d.state = 'pending') AS pending
            FROM webhooks w JOIN durable_cursors c ON c.owner = $6 LEFT JOIN user_streams s ON s.user_id = w.user_id
            WHERE w.id = $1 AND w.user_id = $2
        ),
        decision AS MATERIALIZED (
            SELECT *, CASE
                WHEN is_disabled THEN 'disabled'
                WHEN until > position OR until < $3 THEN 'range'
                WHEN is_unproven THEN 'unproven'
                WHEN $3 < oldest - 1 OR until > head THEN 'gone'
                WHEN until - $3 > $5 THEN 'many'
                WHEN pending > $7 THEN 'full'
                ELSE 'pending' END AS outcome
            FROM webhook
        ),
        wanted AS MATERIALIZED (
            SELECT j.id AS webhook_id, e.seq, e.generation_id, e.status, e.update_id, row_number() OVER (ORDER BY e.seq) AS ord
            FROM decision j JOIN status_events e ON e.user_id = $2 AND e.seq > $3 AND e.seq <= j.until
            WHERE j.outcome = 'pending'
              AND (j.statuses IS NULL OR e.status = ANY (j.statuses)) AND (j.types IS NULL OR e.type = ANY (j.types))
        ),
        replayed AS (
            INSERT INTO webhook_deliveries AS d (id, webhook_id, seq, generation_id, message_id, type, state, attempt, created_at)
            SELECT 'dlv-' || encode(overlay(overlay(uuid_send(gen_random_uuid())
                       PLACING substring(int8send((extract(epoch FROM now()) * 1000)::bigint + (ord >> 12)) FROM 3) FROM 1 FOR 6)
                       PLACING int2send((28672 + (ord & 4095))::smallint) FROM 7 FOR 2), 'hex')::uuid,
                   webhook_id, seq, generation_id, 'msg_' || replace(update_id::text, '-', ''), 'generation.' || status, 'pending', 0, now()
            FROM wanted
            ON CONFLICT (webhook_id, seq) DO UPDATE SET state = 'pending', attempt = 0, next_attempt_at = NULL WHERE d.state <> 'pending'
        )
        SELECT outcome, (SELECT count(*)::int FROM wanted), position, oldest FROM decision
        """;

    /// <summary>Makes a test pending, unless one of this webhook already is: a second one would show nothing more.</summary>
    /// <param name="userId">The user.</param>
    /// <param name="webhookId">The webhook.</param>
    /// <param name="deliveryId">The test's new id.</param>
    /// <param name="cancellationToken">Stops waiting; the test may still be committed.</param>
    /// <exception cref="NpgsqlException">The database did not answer in time; the call may be repeated.</exception>
    public Task<ReplayOutcome> TestAsync(
        string userId, string webhookId, string deliveryId, CancellationToken cancellationToken = default)
    {
        var body = Encoding.UTF8.GetString(WebhookMessages.OfTest(webhookId, time.GetUtcNow()));
        return database.RetryAsync(
            token =>
            {
                var batch = CreateBatch(userId, webhookId, new(TestSql)
                {
                    Parameters =
                    {
                        WebhookStore.Text(webhookId),
                        WebhookStore.Text(userId),
                        WebhookStore.Text(deliveryId),
                        WebhookStore.Text(WebhookIds.MessageOf(deliveryId)),
                        WebhookStore.Text(WebhookMessages.Test),
                        WebhookStore.Text(body),
                    },
                });
                return database.WriteAsync(
                    batch,
                    static async reader => !await reader.ReadAsync()
                        ? ReplayOutcome.NotFound
                        : (reader.GetBoolean(0), reader.GetBoolean(1)) switch
                        {
                            (true, _) => ReplayOutcome.Disabled,
                            (_, true) => ReplayOutcome.AlreadyPending,
                            _ => ReplayOutcome.Pending,
                        },
                    token);
            },
            cancellationToken);
    }

    /// <summary>Makes one delivery pending again, starting with its first attempt.</summary>
    /// <exception cref="NpgsqlException">The database did not answer in time; the call may be repeated.</exception>
    public Task<ReplayOutcome> ReplayAsync(
        string userId, string webhookId, string deliveryId, CancellationToken cancellationToken = default)
    {
        var tries = 0;
        return database.RetryAsync(
            token =>
            {
                var isRepeat = tries++ > 0;
                var batch = CreateBatch(userId, webhookId, new(ReplaySql)
                {
                    Parameters =
                    {
                        WebhookStore.Text(webhookId),
                        WebhookStore.Text(userId),
                        WebhookStore.Text(deliveryId),
                        new NpgsqlParameter<int> { TypedValue = MaxPending },
                    },
                });

                // A repeat may find what its own first try has written.
                return database.WriteAsync(
                    batch,
                    async reader => !await reader.ReadAsync()
                        ? ReplayOutcome.NotFound
                        : (reader.GetBoolean(0), reader.GetBoolean(1), reader.GetBoolean(2), reader.GetBoolean(3), reader.GetBoolean(4)) switch
                        {
                            (_, true, _, _, _) => ReplayOutcome.Disabled,
                            (true, _, _, _, _) => isRepeat ? ReplayOutcome.Pending : ReplayOutcome.AlreadyPending,
                            (_, _, true, _, _) => ReplayOutcome.Unproven,
                            (_, _, _, true, _) => ReplayOutcome.Gone,
                            (_, _, _, _, true) => ReplayOutcome.TooManyPending,
                            _ => ReplayOutcome.Pending,
                        },
                    token);
            },
            cancellationToken);
    }

    /// <summary>
    /// Makes the wanted updates of a range pending, also those that were delivered or given up. Pending ones stay as they are.
    /// </summary>
    /// <param name="userId">The user.</param>
    /// <param name="webhookId">The webhook.</param>
    /// <param name="since">The range begins after this entry.</param>
    /// <param name="until">The range's last entry; null for the webhook's position.</param>
    /// <param name="cancellationToken">Stops waiting; the replay may still be committed.</param>
    /// <exception cref="NpgsqlException">The database did not answer in time; the call may be repeated.</exception>
    public Task<RangeReplay> ReplayRangeAsync(
        string userId, string webhookId, long since, long? until, CancellationToken cancellationToken = default)
    {
        // A repeat may find what its own first try has written.
        var maxPending = MaxPending;
        return database.RetryAsync(
            token =>
            {
                var limit = maxPending;
                maxPending = int.MaxValue;
                var batch = CreateBatch(userId, webhookId, new(ReplayRangeSql)
                {
                    Parameters =
                    {
                        WebhookStore.Text(webhookId),
                        WebhookStore.Text(userId),
                        new NpgsqlParameter<long> { TypedValue = since },
                        new NpgsqlParameter<long?> { TypedValue = until },
                        new NpgsqlParameter<int> { TypedValue = MaxReplay },
                        WebhookStore.Text(WebhookIds.CursorOwner(webhookId)),
                        new NpgsqlParameter<int> { TypedValue = limit },
                    },
                });
                return database.WriteAsync(
                    batch,
                    static async reader => await reader.ReadAsync()
                        ? new RangeReplay(ParseOutcome(reader.GetString(0)), reader.GetInt32(1), reader.GetInt64(2), reader.GetInt64(3))
                        : new RangeReplay(ReplayOutcome.NotFound, 0, 0, 0),
                    token);
            },
            cancellationToken);
    }

    private static ReplayOutcome ParseOutcome(string outcome) => outcome switch
    {
        "disabled" => ReplayOutcome.Disabled,
        "range" => ReplayOutcome.BadRange,
        "unproven" => ReplayOutcome.Unproven,
        "gone" => ReplayOutcome.Gone,
        "many" => ReplayOutcome.TooMany,
        "full" => ReplayOutcome.TooManyPending,
        _ => ReplayOutcome.Pending,
    };

    private static NpgsqlBatch CreateBatch(string userId, string webhookId, NpgsqlBatchCommand replay)
    {
        var batch = new NpgsqlBatch();
        batch.BatchCommands.Add(WebhookStore.CursorCommand(CursorSql.Nudge, userId, webhookId));
        batch.BatchCommands.Add(replay);
        return batch;
    }
}
