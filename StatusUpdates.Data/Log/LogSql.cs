namespace StatusUpdates.Data.Log;

/// <summary>
/// The part that every write to the log shares. A writer's statement names the changes it accepted in a CTE <c>accepted</c>; this one
/// numbers them, moves the generations and writes the events, all in that same statement: one round trip, one commit.
/// </summary>
/// <remarks>
/// Lock order, the same for every writer, so that no two can wait for each other: generations first (ordered by id, or SKIP LOCKED),
/// then user_streams, ordered by user_id, last. That the second begins after the first has ended is made sure by the sort in
/// <c>numbered</c>, which has to see all of <c>accepted</c> before it yields its first row. A row is read through its lock, hence as it is
/// now, not as it was when the statement began. <c>seq</c> is numbered over accepted rows alone: a refusal burns no number.
/// </remarks>
internal static class LogSql
{
    /// <summary>
    /// CTEs <c>numbered</c>, <c>advanced</c>, <c>changed</c>, <c>logged</c>. Needs <c>accepted</c> with: id, user_id,
    /// type, ord, status, update_id, traceparent, metadata, attempt, failures, progress, result_urls, tokens_used, error_message, run_at,
    /// lease_owner, lease_expires_at. Yields <c>numbered</c>: the same, with seq and occurred_at.
    /// </summary>
    public const string Tail =
        """
        numbered AS MATERIALIZED (
            SELECT p.*, p.last_seq + row_number() OVER (PARTITION BY p.user_id ORDER BY p.ord) AS seq, clock_timestamp() AS occurred_at
            FROM (
                SELECT a.*, s.last_seq FROM accepted a JOIN user_streams s ON s.user_id = a.user_id
                ORDER BY s.user_id, a.ord
                FOR NO KEY UPDATE OF s
            ) p
        ),
        advanced AS (
            UPDATE user_streams s SET last_seq = n.head
            FROM (SELECT user_id, max(seq) AS head FROM numbered GROUP BY user_id) n
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
        )
        """;

    /// <summary>Columns of an event, as <see cref="EventReader.Read"/> expects them.</summary>
    public const string EventColumns =
        "e.generation_id, e.user_id, e.type, e.status, e.occurred_at, e.seq, e.traceparent, e.metadata::text";
}
