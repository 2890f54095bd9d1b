namespace StatusUpdates.Data.Log;

/// <summary>
/// The part that every write to the log shares. A writer's statement names the changes it accepted in a CTE <c>accepted</c>; this one
/// numbers them, moves the generations and writes the events, all in that same statement: one round trip, one commit.
/// </summary>
/// <remarks>
/// Lock order, the same for every writer, so that no two can wait for each other: generations first (ordered by id, or SKIP LOCKED),
/// then user_streams, ordered by user_id, last. That the second begins after the first has ended is made sure by the sort in
/// <c>numbered</c>, which has to see all of <c>accepted</c> before it yields its first row. A row is read through its lock, hence as it is
/// now, not as it was when the statement began. <c>seq</c> is numbered over accepted rows alone: a refusal burns no number. The counts
/// come after the streams, in the order of their key; a change that leaves the status as it is, such as progress, touches none.
/// </remarks>
internal static class LogSql
{
    /// <summary>
    /// CTEs <c>numbered</c>, <c>advanced</c>, <c>changed</c>, <c>logged</c>, <c>counted</c>. Needs <c>accepted</c> with: id, user_id, type,
    /// ord, previous (the status until now), status, update_id, traceparent, metadata, attempt, failures, progress, result_urls, tokens_used,
    /// error_message, run_at, lease_owner, lease_expires_at. Yields <c>numbered</c>: the same, with seq, occurred_at and after_check (the
    /// check of the update before it).
    /// </summary>
    public const string Tail =
        $"""
        numbered AS MATERIALIZED (
            SELECT p.*, p.last_seq + row_number() OVER w AS seq, COALESCE(log_check(lag(p.update_id) OVER w), p.last_check) AS after_check,
                   clock_timestamp() AS occurred_at
            FROM (
                SELECT a.*, s.last_seq, {HeadCheck} AS last_check FROM accepted a JOIN user_streams s ON s.user_id = a.user_id
                ORDER BY s.user_id, a.ord
                FOR NO KEY UPDATE OF s
            ) p
            WINDOW w AS (PARTITION BY p.user_id ORDER BY p.ord)
        ),
        advanced AS (
            UPDATE user_streams s SET last_seq = n.seq, check_seq = n.seq, last_check = log_check(n.update_id), after_check = n.after_check
            FROM (SELECT DISTINCT ON (user_id) user_id, seq, update_id, after_check FROM numbered ORDER BY user_id, seq DESC) n
            WHERE s.user_id = n.user_id
        ),
        changed AS (
            UPDATE generations g SET
                status = n.status, seq = n.seq, updated_at = n.occurred_at, last_update_id = n.update_id,
                attempt = n.attempt, failures = n.failures, progress = n.progress, result_urls = n.result_urls,
                tokens_used = n.tokens_used, error_message = n.error_message, run_at = n.run_at,
                lease_owner = n.lease_owner, lease_expires_at = n.lease_expires_at,
                started_at = CASE WHEN n.status = 'processing' THEN COALESCE(g.started_at, n.occurred_at) ELSE g.started_at END,
                completed_at = CASE WHEN n.status IN ('completed', 'failed', 'canceled') THEN n.occurred_at END
            FROM numbered n
            WHERE g.id = n.id
        ),
        logged AS (
            INSERT INTO status_events (user_id, seq, generation_id, type, status, occurred_at, metadata, update_id, traceparent)
            SELECT user_id, seq, id, type, status, occurred_at, metadata, update_id, traceparent FROM numbered
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
    /// The check of the latest entry of the stream <c>s</c>: from its row, or, where a writer of an earlier version wrote last, from the log; NULL
    /// where neither has it.
    /// </summary>
    public const string HeadCheck =
        """
        CASE WHEN s.check_seq = s.last_seq THEN s.last_check
             ELSE (SELECT log_check(h.update_id) FROM status_events h WHERE h.user_id = s.user_id AND h.seq = s.last_seq) END
        """;

    /// <summary>
    /// The check of what stands at the cursor <c>c.seq</c> of the stream <c>s</c>: the entry <c>a</c>, or the last one that retention removed; NULL where
    /// neither is there.
    /// </summary>
    public const string CursorCheck =
        "COALESCE(log_check(a.update_id), CASE WHEN s.trimmed_seq = c.seq THEN s.trimmed_check END)";

    /// <summary>Columns of an event, as <see cref="EventReader.Read"/> expects them.</summary>
    public const string EventColumns =
        "e.generation_id, e.user_id, e.type, e.status, e.occurred_at, e.seq, e.traceparent, e.metadata::text, e.update_id";
}
