using StatusUpdates.Data.Log;

namespace StatusUpdates.Data.Queue;

/// <summary>
/// The claim: which generations a worker gets, in one round trip with its commit. What it reads is bounded by what can start, never by the backlog.
/// </summary>
/// <remarks>
/// Fairness. The index of pending generations is ordered by task, user and time. The claim walks it as a ring, from user to user, one
/// descent each, and begins behind the user that the claim before served last. The free slots are dealt evenly over the users found;
/// what one user may hold at once is bounded. A user whose first generation is not due yet is passed; the walk ends after
/// <see cref="MaxVisited"/> users, and the next one goes on from there.
/// Locks. Rows that another claimer holds are skipped, so claimers never wait for each other. All rows are read again under their lock.
/// Leases. An expired one is resolved by whoever looks (<c>$14</c>): canceled if that was asked for, failed past its deadline or if its
/// failures are used up, none of which takes a slot; else it is the next attempt, before what is pending, within the same limits.
/// What is expired is looked for among what runs, which is as much as all workers have slots.
/// Deadlines. What is pending past its deadline fails, whatever its task and with no slot free. Those that come to be overdue are found by
/// an index from where the look before ended (<c>$15</c>); one that went back to the queue later than that fails when its turn comes.
/// </remarks>
internal static class ClaimSql
{
    /// <summary>How many users one claim visits at most, for each task.</summary>
    public const int MaxVisited = 1000;

    /// <summary>How many expired leases one claim ends at most, and how many overdue generations.</summary>
    public const int MaxEnded = 32;

    /// <summary>
    /// Sent ahead of <see cref="Text"/>, in the same message and transaction: its plan goes by index whatever the statistics say. It is made
    /// once for a connection, and they know nothing of a queue that was empty when they were made and is full now.
    /// </summary>
    public const string Planning =
        """
        SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('jit', 'off', true)
        """;

    /// <summary>
    /// Parameters: 1 tasks, 2 how many of each can start, 3 how many of each one user may hold, 4 where each walk begins; 5 users that hold
    /// slots, 6 of which task, 7 how many; 8 limit, 9 how many one user may hold of all tasks; 10 owner, 11 lease, 12 failures at which a
    /// generation fails, 13 update ids (limit + 2 × <see cref="MaxEnded"/>), 14 whether to look for expired leases and overdue
    /// generations, 15 up to which deadline nothing is overdue any more.
    /// Yields at least one row: the update's columns and the claim's, null if there is none; then where the walks ended, whether there
    /// may be more to start, and up to which deadline nothing is overdue now.
    /// </summary>
    public const string Text =
        $"""
        -- claim
        WITH RECURSIVE tasks AS MATERIALIZED (
            SELECT t.task COLLATE "C" AS task, t.slots, t.user_limit, t.position COLLATE "C" AS position, t.ord
            FROM unnest($1::text[], $2::int[], $3::int[], $4::text[]) WITH ORDINALITY AS t (task, slots, user_limit, position, ord)
        ),
        held AS MATERIALIZED (
            SELECT h.user_id COLLATE "C" AS user_id, h.task COLLATE "C" AS task, h.jobs
            FROM unnest($5::text[], $6::text[], $7::int[]) AS h (user_id, task, jobs)
        ),
        lapsed AS MATERIALIZED (
            SELECT g.id, g.user_id, g.task,
                   g.cancel_requested_at IS NOT NULL OR g.failures + 1 >= $12 OR COALESCE(g.deadline <= now(), false) AS ends
            FROM generations g
            WHERE $14 AND g.status = 'processing' AND g.lease_expires_at < now() AND g.task = ANY ($1)
        ),
        resolvable AS MATERIALIZED (
            (SELECT l.id FROM lapsed l WHERE l.ends ORDER BY l.id LIMIT {MaxEndedText})
            UNION ALL
            SELECT r.id FROM (
                SELECT l.id, t.slots, LEAST(t.user_limit - u.of_task, $9 - u.of_all) AS room,
                       row_number() OVER (ORDER BY l.id) AS of_all,
                       row_number() OVER (PARTITION BY l.task ORDER BY l.id) AS of_task,
                       row_number() OVER (PARTITION BY l.user_id ORDER BY l.id) AS of_user
                FROM lapsed l
                JOIN tasks t ON t.task = l.task
                CROSS JOIN LATERAL (
                    SELECT COALESCE(sum(h.jobs) FILTER (WHERE h.task = l.task), 0) AS of_task, COALESCE(sum(h.jobs), 0) AS of_all
                    FROM held h WHERE h.user_id = l.user_id
                ) u
                WHERE NOT l.ends AND t.slots > 0 AND t.user_limit > u.of_task AND $9 > u.of_all
            ) r
            WHERE r.of_all <= $8 AND r.of_task <= r.slots AND r.of_user <= r.room
        ),
        expired AS MATERIALIZED (
            SELECT g.id, g.user_id, g.type, g.task, g.status, g.seq, g.prompt, g.options, g.attempt, g.failures + 1 AS failures,
                   g.tokens_used, g.run_at, g.cancel_requested_at, g.deadline
            FROM generations g
            WHERE g.id = ANY (ARRAY(SELECT r.id FROM resolvable r)) AND g.status = 'processing' AND g.lease_expires_at < now()
            ORDER BY g.id
            FOR NO KEY UPDATE SKIP LOCKED
        ),
        overdue AS MATERIALIZED (
            SELECT g.id, g.user_id, g.type, g.task, g.status, g.seq, g.prompt, g.options, g.attempt, g.failures,
                   g.tokens_used, g.run_at, g.cancel_requested_at, g.deadline
            FROM generations g
            WHERE $14 AND g.status = 'pending' AND g.deadline > $15 AND g.deadline <= now()
            ORDER BY g.deadline, g.id LIMIT {MaxEndedText}
            FOR NO KEY UPDATE SKIP LOCKED
        ),
        resumed AS MATERIALIZED (
            SELECT e.user_id, e.task FROM expired e
            WHERE e.cancel_requested_at IS NULL AND e.failures < $12 AND COALESCE(e.deadline > now(), true)
        ),
        room AS MATERIALIZED (
            SELECT t.task, t.user_limit, t.position, t.ord, t.slots - (SELECT count(*) FROM resumed r WHERE r.task = t.task) AS slots,
                   $8 - (SELECT count(*) FROM resumed) AS total
            FROM tasks t
        ),
        used AS MATERIALIZED (
            SELECT h.user_id, h.task, sum(h.jobs) AS jobs
            FROM (SELECT user_id, task, jobs FROM held UNION ALL SELECT user_id, task, 1 FROM resumed) h
            GROUP BY h.user_id, h.task
        ),
        sated AS MATERIALIZED (
            SELECT u.user_id, t.task FROM used u CROSS JOIN tasks t
            GROUP BY u.user_id, t.task
            HAVING sum(u.jobs) >= $9 OR sum(u.jobs) FILTER (WHERE u.task = t.task) >= max(t.user_limit)
        ),
        walk AS (
            SELECT r.task, r.position AS start, LEAST(r.slots, r.total) AS wanted, r.position AS user_id, NULL::timestamptz AS run_at,
                   0 AS lap, 0 AS visited, 0 AS found, false AS is_due
            FROM room r
            UNION ALL
            SELECT w.task, w.start, w.wanted, n.user_id, n.run_at, n.lap, w.visited + 1, w.found + d.is_due::int, d.is_due
            FROM walk w
            CROSS JOIN LATERAL (
                (SELECT g.user_id, g.run_at, 0 AS lap FROM generations g
                 WHERE w.lap = 0 AND g.status = 'pending' AND g.task = w.task AND g.user_id > w.user_id
                 ORDER BY g.task, g.user_id, g.run_at, g.id LIMIT 1)
                UNION ALL
                (SELECT g.user_id, g.run_at, 1 AS lap FROM generations g
                 WHERE g.status = 'pending' AND g.task = w.task
                   AND g.user_id > CASE WHEN w.lap = 1 THEN w.user_id ELSE '' END AND g.user_id <= w.start
                 ORDER BY g.task, g.user_id, g.run_at, g.id LIMIT 1)
                LIMIT 1
            ) n
            CROSS JOIN LATERAL (
                SELECT n.run_at <= now() AND NOT EXISTS (SELECT FROM sated s WHERE s.user_id = n.user_id AND s.task = w.task) AS is_due
            ) d
            WHERE w.found < w.wanted AND w.visited < {MaxVisitedText}
        ),
        dealt AS MATERIALIZED (
            SELECT q.task, q.user_id, q.run_at, q.visited, LEAST(
                       q.share,
                       q.slots - COALESCE(sum(q.share) OVER (PARTITION BY q.task ORDER BY q.turn ROWS UNBOUNDED PRECEDING) - q.share, 0),
                       q.room_of_task,
                       q.room_of_all - COALESCE(sum(q.share) OVER (PARTITION BY q.user_id ORDER BY q.turn ROWS UNBOUNDED PRECEDING) - q.share, 0)
                   ) AS share
            FROM (
                SELECT p.*, p.total / p.pairs + (p.turn <= p.total % p.pairs)::int AS share
                FROM (
                    SELECT w.task, w.user_id, w.run_at, w.visited, r.slots, r.total, count(*) OVER () AS pairs,
                           row_number() OVER (ORDER BY w.found, r.ord) AS turn,
                           r.user_limit - COALESCE((SELECT sum(u.jobs) FROM used u WHERE u.user_id = w.user_id AND u.task = w.task), 0) AS room_of_task,
                           $9 - COALESCE((SELECT sum(u.jobs) FROM used u WHERE u.user_id = w.user_id), 0) AS room_of_all
                    FROM walk w JOIN room r ON r.task = w.task
                    WHERE w.is_due
                ) p
            ) q
        ),
        due AS MATERIALIZED (
            SELECT g.*
            FROM dealt d
            CROSS JOIN LATERAL (
                SELECT g.id, g.user_id, g.type, g.task, g.status, g.seq, g.prompt, g.options, g.attempt, g.failures,
                       g.tokens_used, g.run_at, g.cancel_requested_at, g.deadline
                FROM generations g
                WHERE g.status = 'pending' AND g.task = d.task AND g.user_id = d.user_id AND g.run_at >= d.run_at AND g.run_at <= now()
                  AND COALESCE(NOT ($14 AND g.deadline > $15 AND g.deadline <= now()), true)
                ORDER BY g.task, g.user_id, g.run_at, g.id LIMIT d.share
                FOR NO KEY UPDATE SKIP LOCKED
            ) g
            WHERE d.share > 0
        ),
        candidates AS MATERIALIZED (
            SELECT c.*, row_number() OVER (ORDER BY c.run_at, c.id) AS ord, CASE
                WHEN c.cancel_requested_at IS NOT NULL THEN 'canceled'
                WHEN c.deadline <= now() THEN 'failed'
                WHEN c.status = 'processing' AND c.failures >= $12 THEN 'failed'
                ELSE 'processing' END AS next_status
            FROM (SELECT * FROM expired UNION ALL SELECT * FROM overdue UNION ALL SELECT * FROM due) c
        ),
        attempts AS MATERIALIZED (
            SELECT c.*, c.attempt + (c.next_status = 'processing')::int AS next_attempt, CASE
                WHEN c.next_status <> 'failed' THEN NULL
                WHEN c.deadline <= now() THEN '{QueueMessages.DeadlinePassed}'
                ELSE 'The worker stopped responding, ' || c.failures || ' times.' END AS error_message
            FROM candidates c
        ),
        accepted AS MATERIALIZED (
            SELECT a.id, a.user_id, a.type, a.ord, a.status AS previous, a.next_status AS status, ($13::uuid[])[a.ord] AS update_id, e.traceparent,
                   jsonb_strip_nulls(jsonb_build_object('attempt', NULLIF(a.next_attempt, 0), 'errorMessage', a.error_message)) AS metadata,
                   a.next_attempt AS attempt, a.failures, NULL::int AS progress, NULL::text[] AS result_urls, a.tokens_used,
                   a.error_message, a.run_at,
                   CASE WHEN a.next_status = 'processing' THEN $10::text END AS lease_owner,
                   CASE WHEN a.next_status = 'processing' THEN clock_timestamp() + $11::interval END AS lease_expires_at
            FROM attempts a LEFT JOIN status_events e ON e.user_id = a.user_id AND e.seq = a.seq
        ),
        {LogSql.Tail},
        walked AS (
            SELECT array_agg(COALESCE(
                       -- Behind whom was served last; nobody was passed over by that. With nobody to serve, behind all that were visited.
                       (SELECT d.user_id FROM dealt d WHERE d.task = r.task AND d.share > 0 ORDER BY d.visited DESC LIMIT 1),
                       (SELECT w.user_id FROM walk w WHERE w.task = r.task AND NOT EXISTS (SELECT FROM dealt d WHERE d.task = r.task)
                        ORDER BY w.visited DESC LIMIT 1),
                       r.position) ORDER BY r.ord) AS positions
            FROM room r
        ),
        ended AS (
            SELECT GREATEST((SELECT count(*) FROM overdue), (SELECT count(*) FROM lapsed l WHERE l.ends)) >= {MaxEndedText} AS more_ends,
                   EXISTS (SELECT FROM walk w WHERE w.visited = {MaxVisitedText} AND w.found < w.wanted)
                   OR EXISTS (SELECT FROM dealt d
                              WHERE d.share > 0 AND d.share = (SELECT count(*) FROM due u WHERE u.task = d.task AND u.user_id = d.user_id)) AS more_due
        )
        SELECT n.id, n.user_id, n.type, n.status, n.occurred_at, n.seq, n.traceparent, n.metadata::text, n.update_id, n.after_check,
               c.task, c.prompt, c.options::text, n.attempt, n.failures, c.deadline - clock_timestamp(),
               w.positions, e.more_due, CASE WHEN $14 AND NOT e.more_ends THEN now() END
        FROM walked w CROSS JOIN ended e LEFT JOIN (numbered n JOIN candidates c ON c.id = n.id) ON true
        ORDER BY n.ord
        """;

    // The same numbers as text: a constant string is made of constant strings.
    private const string MaxVisitedText = "1000";
    private const string MaxEndedText = "32";
}
