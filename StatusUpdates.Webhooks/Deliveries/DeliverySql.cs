using StatusUpdates.Data.Log;

namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>Statements on deliveries. $1 is the webhook throughout.</summary>
/// <remarks>
/// Deliveries of a generation are made one after the other: the pending one with the lowest seq is the head, and only a head can be due. A message
/// that is not an update (a test, a resync) is a chain of its own.
/// </remarks>
internal static class DeliverySql
{
    private const string Heads =
        """
        pending AS MATERIALIZED (
            SELECT d.id, COALESCE(d.generation_id, d.id) AS chain, d.seq, d.attempt, d.next_attempt_at, d.last_attempt_at, d.status_code
            FROM webhook_deliveries d WHERE d.webhook_id = $1 AND d.state = 'pending'
        ),
        heads AS (
            SELECT DISTINCT ON (chain) chain, seq, attempt, next_attempt_at, last_attempt_at, status_code FROM pending ORDER BY chain, seq
        )
        """;

    /// <summary>
    /// The webhook, and counts of its pending deliveries. A generation is failing if its last attempt came after the last success and points to the
    /// receiver itself: no answer, 5xx, 408, 425 or 429. Any other 4xx can be due to the message.
    /// </summary>
    public const string Summary =
        $"""
        -- plan deliveries
        WITH {Heads}
        SELECT w.url, w.statuses, w.types, w.signing_keys, w.disabled_at IS NOT NULL, w.last_success_at,
               (SELECT count(*)::int FROM pending),
               (SELECT count(*)::int FROM heads h
                WHERE h.attempt > 0 AND h.last_attempt_at > COALESCE(w.last_success_at, '-infinity')
                  AND (h.status_code IS NULL OR h.status_code >= 500 OR h.status_code IN (408, 425, 429))),
               (SELECT min(h.next_attempt_at) - now() FROM heads h WHERE h.next_attempt_at > now()),
               (SELECT count(*)::int FROM heads)
        FROM webhooks w WHERE w.id = $1
        """;

    /// <summary>
    /// Due deliveries, of at most $3 generations, and at most $4 in all. Those that the owner requested come first, then the oldest.
    /// $2 is the user.
    /// </summary>
    public const string Due =
        $"""
        WITH {Heads}
        SELECT d.id, d.message_id, d.type, d.body, d.seq, d.generation_id, d.attempt, d.created_at, d.attempts::text, {EventReader.Columns}
        FROM (
            SELECT p.id, p.seq, h.seq AS head, h.chain
            FROM (SELECT * FROM heads h WHERE h.next_attempt_at IS NULL OR h.next_attempt_at <= now() ORDER BY h.seq NULLS FIRST, h.chain LIMIT $3) h
            JOIN pending p ON p.chain = h.chain
            ORDER BY h.seq NULLS FIRST, h.chain, p.seq LIMIT $4
        ) p
        JOIN webhook_deliveries d ON d.id = p.id
        LEFT JOIN status_events e ON e.user_id = $2 AND e.seq = d.seq
        ORDER BY p.head NULLS FIRST, p.chain, p.seq
        """;

    /// <summary>The entries of user $2's log after $3, at most $4, and whether each has a delivery, or must wait for one.</summary>
    public const string Page =
        $"""
        SELECT {EventReader.BoundsColumns}, {EventReader.Columns},
               EXISTS (SELECT FROM webhook_deliveries d WHERE d.webhook_id = $1 AND d.seq = e.seq),
               EXISTS (SELECT FROM webhook_deliveries d
                       WHERE d.webhook_id = $1 AND d.generation_id = e.generation_id AND d.state = 'pending')
        FROM user_streams s
        CROSS JOIN (VALUES ($3::bigint)) c (seq)
        LEFT JOIN status_events a ON a.user_id = s.user_id AND a.seq = c.seq
        LEFT JOIN LATERAL (SELECT * FROM status_events WHERE user_id = s.user_id AND seq > $3 ORDER BY seq LIMIT $4) e ON true
        WHERE s.user_id = $2
        ORDER BY e.seq
        """;

    /// <summary>The effect of a save: the outcomes, and what they mean for the webhook.</summary>
    public const string Outcomes =
        """
        , outcomes AS (
            SELECT o.* FROM held CROSS JOIN unnest($12::text[], $13::bigint[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
                $19::int[], $20::interval[], $21::boolean[], $22::int[], $23::text[])
                AS o (id, seq, generation_id, message_id, type, body, state, attempt, next_attempt, was_attempted, status_code, attempts)
        ),
        stored AS (
            INSERT INTO webhook_deliveries AS d
                (id, webhook_id, seq, generation_id, message_id, type, body, state, attempt, created_at, next_attempt_at, last_attempt_at,
                 status_code, attempts)
            SELECT o.id, $11, o.seq, o.generation_id, o.message_id, o.type, o.body, o.state, o.attempt, clock_timestamp(),
                   clock_timestamp() + o.next_attempt, CASE WHEN o.was_attempted THEN clock_timestamp() END, o.status_code, o.attempts::jsonb
            FROM outcomes o
            ON CONFLICT (id) DO UPDATE SET
                state = EXCLUDED.state, attempt = EXCLUDED.attempt, next_attempt_at = EXCLUDED.next_attempt_at,
                last_attempt_at = COALESCE(EXCLUDED.last_attempt_at, d.last_attempt_at),
                status_code = EXCLUDED.status_code, attempts = EXCLUDED.attempts
        ),
        rescheduled AS (
            UPDATE webhook_deliveries d SET next_attempt_at = NULL FROM held
            WHERE $26 AND d.webhook_id = $11 AND d.state = 'pending' AND d.next_attempt_at IS NOT NULL AND d.id <> ALL ($12)
        ),
        webhook_state AS (
            UPDATE webhooks w SET
                last_success_at = CASE WHEN $24 THEN clock_timestamp() ELSE w.last_success_at END,
                failing_since = CASE WHEN $25 THEN COALESCE(CASE WHEN NOT $24 THEN w.failing_since END, clock_timestamp()) END
            FROM held
            WHERE w.id = $11 AND ($24 OR $25)
        )
        """;

    /// <summary>Disables the webhook for the reason $4, if cursor $2 is still held under epoch $3. Pending deliveries stay pending.</summary>
    public const string Disable =
        """
        -- disable webhook
        WITH held AS (
            UPDATE durable_cursors c SET paused = true, epoch = c.epoch + 1, lease_expires_at = NULL
            WHERE c.owner = $2 AND c.epoch = $3
            RETURNING c.owner
        )
        UPDATE webhooks w SET disabled_at = clock_timestamp(), disabled_reason = $4 FROM held WHERE w.id = $1 AND w.disabled_at IS NULL
        """;
}
