namespace StatusUpdates.Data.Log;

/// <summary>
/// Parts of statements on the log. <see cref="Tail"/> is the part that all writes share: a writer's statement lists the changes that it accepted in
/// a CTE <c>accepted</c>; the CTEs of the tail number them, update the generations and write the events in the same statement: one round trip, one
/// commit.
/// </summary>
/// <remarks>
/// All writers lock in the same order, which prevents deadlocks: generations first (ordered by id, or SKIP LOCKED), then
/// user_streams, ordered by user_id. The sort in <c>numbered</c> makes sure that the second step begins after the first has ended: it needs
/// all of <c>accepted</c> before it returns its first row. Rows are read under their locks, so with their current values, not those of the
/// statement's snapshot. Only accepted changes get a <c>seq</c>: a refusal uses up no number. The counts come after the streams, in the order
/// of their key; a change that keeps the status, such as progress, touches none.
/// </remarks>
public static class LogSql
{
    /// <summary>
    /// CTEs <c>numbered</c>, <c>advanced</c>, <c>changed</c>, <c>logged</c>, <c>counted</c>. Requires <c>accepted</c> with: generation_id, user_id,
    /// type, ord, previous (the status until now), status, update_id, traceparent, metadata, attempt, failures, progress, run_at, lease_owner,
    /// lease_expires_at. Provides <c>numbered</c>: the same, with seq, occurred_at and after_check (the check of the previous update): the updates,
    /// as <see cref="EventReader.NumberedColumns"/>. What the update's metadata say of the outcome goes into the generation's row too.
    /// </summary>
    internal const string Tail =
        """
        numbered AS MATERIALIZED (
            SELECT p.*, p.last_seq + row_number() OVER w AS seq, COALESCE(log_check(lag(p.update_id) OVER w), p.last_check) AS after_check,
                   clock_timestamp() AS occurred_at
            FROM (
                SELECT a.*, s.last_seq, s.last_check FROM accepted a JOIN user_streams s ON s.user_id = a.user_id
                ORDER BY s.user_id, a.ord
                FOR NO KEY UPDATE OF s
            ) p
            WINDOW w AS (PARTITION BY p.user_id ORDER BY p.ord)
        ),
        advanced AS (
            UPDATE user_streams s SET last_seq = n.seq, last_check = log_check(n.update_id)
            FROM (SELECT DISTINCT ON (user_id) user_id, seq, update_id FROM numbered ORDER BY user_id, seq DESC) n
            WHERE s.user_id = n.user_id
        ),
        changed AS (
            UPDATE generations g SET
                status = n.status, seq = n.seq, updated_at = n.occurred_at, last_update_id = n.update_id,
                attempt = n.attempt, failures = n.failures, progress = n.progress, run_at = n.run_at,
                lease_owner = n.lease_owner, lease_expires_at = n.lease_expires_at,
                result_urls = CASE WHEN n.status = 'completed' THEN ARRAY(SELECT jsonb_array_elements_text(n.metadata -> 'resultUrls')) END,
                tokens_used = COALESCE((n.metadata -> 'tokensUsed')::bigint, g.tokens_used),
                error_message = CASE WHEN n.status = 'failed' THEN n.metadata ->> 'errorMessage' END,
                started_at = CASE WHEN n.status = 'processing' THEN COALESCE(g.started_at, n.occurred_at) ELSE g.started_at END,
                completed_at = CASE WHEN n.status IN ('completed', 'failed', 'canceled') THEN n.occurred_at END
            FROM numbered n
            WHERE g.id = n.generation_id
        ),
        logged AS (
            INSERT INTO status_events (user_id, seq, generation_id, type, status, occurred_at, metadata, update_id, traceparent)
            SELECT user_id, seq, generation_id, type, status, occurred_at, metadata, update_id, traceparent FROM numbered
        ),
        counted AS (
            INSERT INTO generation_counts AS c (user_id, type, status, count)
            SELECT n.user_id, n.type, d.status, sum(d.change)
            FROM numbered n CROSS JOIN LATERAL (VALUES (n.previous, -1), (n.status, 1)) AS d (status, change)
            WHERE n.previous <> n.status
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (user_id, type, status) DO UPDATE SET count = c.count + EXCLUDED.count
        )
        """;

    /// <summary>
    /// The check of the entry at the cursor <c>c.seq</c> of the stream <c>s</c>: of the entry <c>a</c>, or of the last entry that retention
    /// removed; NULL if neither is at that position.
    /// </summary>
    public const string CursorCheck =
        "COALESCE(log_check(a.update_id), CASE WHEN s.trimmed_seq = c.seq THEN s.trimmed_check END)";
}
