using StatusUpdates.Data.Log;

namespace StatusUpdates.Data.Queue;

/// <summary>
/// Claims generations for a worker, in one round trip with its commit. What it reads is bounded by what can start, never by the backlog.
/// </summary>
/// <remarks>
/// Fairness: the free slots are divided evenly among the users that have due work, in round-robin order; what one user may hold at once is
/// limited. The process remembers which users these are (<see cref="QueueMemory"/>), because searching the index costs more the longer a
/// transaction elsewhere keeps PostgreSQL from removing dead entries: an index of pending generations then contains all that were submitted
/// meanwhile. For each remembered user (<c>$17</c>) the claim reads the first entry, from where the previous one was. For new users it reads the
/// entries after the time up to which all are known (<c>$16</c>). Both pass only dead entries from after these times, and no older ones.
/// At startup, and now and then, the claim explores instead (<c>$4</c>): it walks the index, which is ordered by task, user and time, as a
/// ring, from user to user, with one descent each, starting after the user that the previous claim served last. A user whose first generation is
/// not due yet is skipped; the walk ends after <see cref="MaxVisited"/> users, and the next claim continues from there.
/// Locks: rows that another claimer holds are skipped, so claimers never wait for each other. All rows are read again under their locks.
/// Leases: any claim that finds an expired lease resolves it. The generation is canceled if that was requested; it fails if its deadline has passed or
/// it has no failures left. Both need no slot, and no provider for its task. Otherwise it gets the next attempt, before pending ones, within the same
/// limits.
/// Running generations are remembered too, each with the earliest end of its lease: a sweep reads those that began since the sweep before
/// (<c>$21</c>; <c>run_at</c> of a running generation is the start of its attempt), and those whose lease may have ended (<c>$20</c>).
/// Deadlines: a pending generation past its deadline fails, for any task and even without a free slot. Newly overdue ones are found by
/// an index, from where the previous search ended (<c>$15</c>); one that returned to the queue later than that fails when it would start.
/// Plans: they use indexes, and are made once per connection (<see cref="Database.StatusDatabase.Claims"/>).
/// </remarks>
internal static class ClaimSql
{
    /// <summary>The maximum number of users that one claim visits, for each task.</summary>
    public const int MaxVisited = 1000;

    /// <summary>The maximum number of expired leases that one claim ends, and of overdue generations.</summary>
    public const int MaxEnded = 32;

    /// <summary>The maximum number of new pending entries that one claim reads, for each task.</summary>
    public const int MaxArrived = 2000;

    /// <summary>The maximum number of leases that are remembered.</summary>
    public const int MaxLeases = 20_000;

    private static readonly string Sweeping = Compose(SweepCtes, WalkCte, ArrivedCte, KnownAndArrivedUsers);
    private static readonly string Exploring = Compose(NoSweepCtes, WalkCte, NoArrivedCte, KnownUsers);
    private static readonly string Plain = Compose(NoSweepCtes, NoWalkCte, NoArrivedCte, KnownUsers);

    /// <summary>
    /// Parameters: 1 tasks, 2 how many of each can start, 3 how many of each one user may hold, 4 the user after which to explore, NULL for a
    /// task whose users are known; 5 users that hold slots, 6 of which task, 7 how many; 8 limit, 9 how many one user may hold of all tasks;
    /// 10 owner, 11 lease, 12 failures at which a generation fails, 13 update ids (limit + 2 × <see cref="MaxEnded"/>), 14 whether it sweeps,
    /// 15 the deadline up to which nothing is overdue any more; 16 for each task, the <c>run_at</c> up to which all users are known; 17 the tasks of
    /// known users, 18 the users, in round-robin order, 19 the <c>run_at</c> before which each has nothing pending; 20 generations whose leases may
    /// have expired, 21 the start time up to which all running generations are known.
    /// Returns at least one row: <see cref="ClaimReader.Columns"/>.
    /// </summary>
    /// <param name="sweep">Whether to look for expired leases, overdue generations and new users.</param>
    /// <param name="explores">Whether to explore the index of any task.</param>
    public static string TextOf(bool sweep, bool explores) => sweep ? Sweeping : explores ? Exploring : Plain;

    private static string Compose(string sweepCtes, string walkCte, string arrivedCte, string knownUsers) =>
        $"""
        -- claim
        WITH RECURSIVE tasks AS MATERIALIZED (
            SELECT t.task COLLATE "C" AS task, t.slots, t.user_limit, t.position COLLATE "C" AS position, t.known_until, t.ord
            FROM unnest($1::text[], $2::int[], $3::int[], $4::text[], $16::timestamptz[])
                WITH ORDINALITY AS t (task, slots, user_limit, position, known_until, ord)
        ),
        held AS MATERIALIZED (
            SELECT h.user_id COLLATE "C" AS user_id, h.task COLLATE "C" AS task, h.jobs
            FROM unnest($5::text[], $6::text[], $7::int[]) AS h (user_id, task, jobs)
        ),
        {sweepCtes},
        resumed AS MATERIALIZED (
            SELECT e.user_id, e.task FROM expired e
            WHERE e.cancel_requested_at IS NULL AND e.failures < $12 AND COALESCE(e.deadline > now(), true)
        ),
        room AS MATERIALIZED (
            SELECT t.task, t.user_limit, t.position, t.known_until, t.ord, t.slots - (SELECT count(*) FROM resumed r WHERE r.task = t.task) AS slots,
                   $8 - (SELECT count(*) FROM resumed) AS total
            FROM tasks t
        ),
        used AS MATERIALIZED (
            SELECT h.user_id, h.task, sum(h.jobs) AS jobs
            FROM (SELECT user_id, task, jobs FROM held UNION ALL SELECT user_id, task, 1 FROM resumed) h
            GROUP BY h.user_id, h.task
        ),
        at_limit AS MATERIALIZED (
            SELECT u.user_id, t.task FROM used u CROSS JOIN tasks t
            GROUP BY u.user_id, t.task
            HAVING sum(u.jobs) >= $9 OR sum(u.jobs) FILTER (WHERE u.task = t.task) >= max(t.user_limit)
        ),
        {walkCte},
        {arrivedCte},
        known AS MATERIALIZED (
            {knownUsers}
        ),
        probed AS MATERIALIZED (
            SELECT a.task, a.user_id, a.run_at, a.ord, row_number() OVER (PARTITION BY a.task ORDER BY a.ord) AS found
            FROM room r
            CROSS JOIN LATERAL (
                SELECT k.task, k.user_id, k.ord, n.run_at
                FROM (
                    SELECT k.* FROM known k
                    WHERE k.task = r.task AND NOT EXISTS (SELECT FROM at_limit s WHERE s.user_id = k.user_id AND s.task = k.task)
                    ORDER BY k.ord
                ) k
                CROSS JOIN LATERAL (
                    SELECT g.run_at FROM generations g
                    WHERE g.status = 'pending' AND g.task = k.task AND g.user_id = k.user_id AND g.run_at >= k.since AND g.run_at <= now()
                    ORDER BY g.task, g.user_id, g.run_at, g.id LIMIT 1
                ) n
                LIMIT GREATEST(LEAST(r.slots, r.total), 0)
            ) a
            WHERE r.position IS NULL
        ),
        allotted AS MATERIALIZED (
            SELECT q.task, q.user_id, q.run_at, q.visited, LEAST(
                       q.share,
                       q.slots - COALESCE(sum(q.share) OVER (PARTITION BY q.task ORDER BY q.place ROWS UNBOUNDED PRECEDING) - q.share, 0),
                       q.room_of_task,
                       q.room_of_all - COALESCE(sum(q.share) OVER (PARTITION BY q.user_id ORDER BY q.place ROWS UNBOUNDED PRECEDING) - q.share, 0)
                   ) AS share
            FROM (
                SELECT p.*, p.total / p.pairs + (p.place <= p.total % p.pairs)::int AS share
                FROM (
                    SELECT w.task, w.user_id, w.run_at, w.visited, r.slots, r.total, count(*) OVER () AS pairs,
                           row_number() OVER (ORDER BY w.found, r.ord) AS place,
                           r.user_limit - COALESCE((SELECT sum(u.jobs) FROM used u WHERE u.user_id = w.user_id AND u.task = w.task), 0) AS room_of_task,
                           $9 - COALESCE((SELECT sum(u.jobs) FROM used u WHERE u.user_id = w.user_id), 0) AS room_of_all
                    FROM (
                        SELECT task, user_id, run_at, visited, found FROM walk WHERE is_due
                        UNION ALL
                        SELECT task, user_id, run_at, 0, found FROM probed
                    ) w
                    JOIN room r ON r.task = w.task
                ) p
            ) q
        ),
        stops AS MATERIALIZED (
            SELECT r.task, CASE WHEN a.found >= LEAST(r.slots, r.total) OR a.found > a.served THEN a.last END AS stop
            FROM room r
            CROSS JOIN LATERAL (
                SELECT count(*) AS found, count(*) FILTER (WHERE d.share > 0) AS served, COALESCE(max(k.ord) FILTER (WHERE d.share > 0), 0) AS last
                FROM probed k JOIN allotted d ON d.task = k.task AND d.user_id = k.user_id
                WHERE k.task = r.task
            ) a
        ),
        due AS MATERIALIZED (
            SELECT g.*
            FROM allotted d
            CROSS JOIN LATERAL (
                SELECT {Columns}, g.failures FROM generations g
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
            SELECT a.id AS generation_id, a.user_id, a.type, a.ord, a.status AS previous, a.next_status AS status, ($13::uuid[])[a.ord] AS update_id,
                   e.traceparent, jsonb_strip_nulls(jsonb_build_object('attempt', NULLIF(a.next_attempt, 0), 'errorMessage', a.error_message)) AS metadata,
                   a.next_attempt AS attempt, a.failures, NULL::int AS progress,
                   CASE WHEN a.next_status = 'processing' THEN clock_timestamp() ELSE a.run_at END AS run_at,
                   CASE WHEN a.next_status = 'processing' THEN $10::text END AS lease_owner,
                   CASE WHEN a.next_status = 'processing' THEN clock_timestamp() + $11::interval END AS lease_expires_at
            FROM attempts a LEFT JOIN status_events e ON e.user_id = a.user_id AND e.seq = a.seq
        ),
        {LogSql.Tail},
        due_users AS MATERIALIZED (
            SELECT a.task, a.user_id, a.run_at AS since, a.ord FROM probed a JOIN stops s ON s.task = a.task
            WHERE COALESCE(a.ord <= s.stop, true)
            UNION ALL
            SELECT k.task, k.user_id, k.since, k.ord FROM known k JOIN stops s ON s.task = k.task
            WHERE k.ord > cardinality($17) AND k.ord > s.stop
               OR EXISTS (SELECT FROM at_limit s WHERE s.user_id = k.user_id AND s.task = k.task)
            UNION ALL
            SELECT w.task, w.user_id, w.run_at,
                   w.visited + CASE WHEN EXISTS (SELECT FROM allotted d WHERE d.task = w.task AND d.user_id = w.user_id AND d.share > 0)
                                    THEN {MaxVisited} ELSE 0 END
            FROM walk w WHERE w.visited > 0 AND w.run_at <= now()
        ),
        by_task AS (
            SELECT array_agg(COALESCE(
                       -- After the user served last, so nobody is passed over; if nobody could be served, after all users visited.
                       (SELECT d.user_id FROM allotted d WHERE d.task = r.task AND d.share > 0 ORDER BY d.visited DESC LIMIT 1),
                       (SELECT w.user_id FROM walk w WHERE w.task = r.task AND NOT EXISTS (SELECT FROM allotted d WHERE d.task = r.task)
                        ORDER BY w.visited DESC LIMIT 1),
                       r.position, '') ORDER BY r.ord) AS positions,
                   array_agg(NOT EXISTS (SELECT FROM walk w
                                         WHERE w.task = r.task AND (w.visited = {MaxVisited} OR w.found >= w.wanted)) ORDER BY r.ord) AS rounds,
                   array_agg((SELECT s.stop FROM stops s WHERE s.task = r.task) ORDER BY r.ord) AS stops,
                   array_agg((SELECT CASE WHEN count(*) < {MaxArrived} THEN now() ELSE max(a.run_at) END FROM arrived a WHERE a.task = r.task)
                             ORDER BY r.ord) AS known_until
            FROM room r
        ),
        findings AS (
            SELECT array_agg(m.task ORDER BY m.ord) AS tasks, array_agg(m.user_id ORDER BY m.ord) AS users, array_agg(m.since ORDER BY m.ord) AS since
            FROM due_users m
        ),
        seen_leases AS (
            SELECT CASE WHEN count(*) <= {MaxLeases} THEN COALESCE(array_agg(l.id), ARRAY[]::text[]) END AS ids,
                   CASE WHEN count(*) <= {MaxLeases} THEN COALESCE(array_agg(l.lease_expires_at), ARRAY[]::timestamptz[]) END AS until
            FROM leases l
        ),
        remaining AS (
            SELECT GREATEST((SELECT count(*) FROM overdue), (SELECT count(*) FROM lapsed l WHERE l.ends)) >= {MaxEnded} AS more_ends,
                   EXISTS (SELECT FROM walk w WHERE w.visited = {MaxVisited} AND w.found < w.wanted)
                   OR EXISTS (SELECT FROM arrived a GROUP BY a.task HAVING count(*) = {MaxArrived})
                   OR EXISTS (SELECT FROM allotted d
                              WHERE d.share > 0 AND d.share = (SELECT count(*) FROM due u WHERE u.task = d.task AND u.user_id = d.user_id)) AS more_due
        )
        SELECT {ClaimReader.Columns}
        FROM remaining m
        LEFT JOIN (numbered e JOIN candidates c ON c.id = e.generation_id) ON true
        LEFT JOIN (SELECT now() AS now, w.*, l.*, r.* FROM by_task w CROSS JOIN findings l CROSS JOIN seen_leases r) f ON COALESCE(e.ord, 1) = 1
        ORDER BY e.ord
        """;

    // What a sweep reads in addition to due generations.
    private static string SweepCtes =>
        $"""
        leases AS MATERIALIZED (
            SELECT g.id, g.lease_expires_at FROM generations g
            WHERE g.id = ANY ($20::text[]) AND g.status = 'processing'
            UNION
            SELECT g.id, g.lease_expires_at FROM generations g
            WHERE g.status = 'processing' AND g.attempt >= 0 AND g.run_at > $21
        ),
        lapsed AS MATERIALIZED (
            SELECT g.id, g.user_id, g.task,
                   g.cancel_requested_at IS NOT NULL OR g.failures + 1 >= $12 OR COALESCE(g.deadline <= now(), false) AS ends
            FROM generations g
            WHERE g.id = ANY (ARRAY(SELECT l.id FROM leases l WHERE l.lease_expires_at < now()))
        ),
        resolvable AS MATERIALIZED (
            (SELECT l.id FROM lapsed l WHERE l.ends ORDER BY l.id LIMIT {MaxEnded})
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
            SELECT {Columns}, g.failures + 1 AS failures FROM generations g
            WHERE g.id = ANY (ARRAY(SELECT r.id FROM resolvable r)) AND g.status = 'processing' AND g.lease_expires_at < now()
            ORDER BY g.id
            FOR NO KEY UPDATE SKIP LOCKED
        ),
        overdue AS MATERIALIZED (
            SELECT {Columns}, g.failures FROM generations g
            WHERE g.status = 'pending' AND g.deadline > $15 AND g.deadline <= now()
            ORDER BY g.deadline, g.id LIMIT {MaxEnded}
            FOR NO KEY UPDATE SKIP LOCKED
        )
        """;

    private static string ArrivedCte =>
        $"""
        arrived AS MATERIALIZED (
            SELECT r.task, n.user_id, n.run_at
            FROM room r
            CROSS JOIN LATERAL (
                SELECT g.user_id, g.run_at FROM generations g
                WHERE g.status = 'pending' AND g.attempt >= 0 AND g.task = r.task AND g.run_at > r.known_until AND g.run_at <= now()
                ORDER BY g.task, g.run_at LIMIT {MaxArrived}
            ) n
            WHERE r.position IS NULL
        )
        """;

    private static string WalkCte =>
        $"""
        walk AS (
            SELECT r.task, r.position AS start, LEAST(r.slots, r.total) AS wanted, r.position AS user_id, NULL::timestamptz AS run_at,
                   0 AS lap, 0 AS visited, 0 AS found, false AS is_due
            FROM room r
            WHERE r.position IS NOT NULL
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
                SELECT n.run_at <= now() AND NOT EXISTS (SELECT FROM at_limit s WHERE s.user_id = n.user_id AND s.task = w.task) AS is_due
            ) d
            WHERE w.found < w.wanted AND w.visited < {MaxVisited}
        )
        """;

    private const string KnownUsers =
        """
        SELECT u.task COLLATE "C" AS task, u.user_id COLLATE "C" AS user_id, u.since, u.ord
            FROM unnest($17::text[], $18::text[], $19::timestamptz[]) WITH ORDINALITY AS u (task, user_id, since, ord)
        """;

    private const string KnownAndArrivedUsers =
        $"""
        SELECT k.task, k.user_id, min(k.since) AS since, min(k.ord) AS ord
            FROM (
                {KnownUsers}
                UNION ALL
                SELECT a.task, a.user_id, a.run_at, cardinality($17) + row_number() OVER (ORDER BY a.run_at) FROM arrived a
            ) k
            GROUP BY k.task, k.user_id
        """;

    // Without a sweep: the same columns and no rows, which the planner removes.
    private const string NoSweepCtes =
        $"""
        leases AS (SELECT NULL::text AS id, NULL::timestamptz AS lease_expires_at WHERE false),
        lapsed AS (SELECT NULL::text AS id, false AS ends WHERE false),
        expired AS (SELECT {Columns}, g.failures FROM generations g WHERE false),
        overdue AS (SELECT {Columns}, g.failures FROM generations g WHERE false)
        """;

    private const string NoWalkCte =
        """
        walk AS (
            SELECT NULL::text AS task, NULL::text AS start, 0::bigint AS wanted, NULL::text AS user_id, NULL::timestamptz AS run_at,
                   0 AS lap, 0 AS visited, 0 AS found, false AS is_due
            WHERE false
        )
        """;

    private const string NoArrivedCte = "arrived AS (SELECT NULL::text AS task, NULL::text AS user_id, NULL::timestamptz AS run_at WHERE false)";

    // What a claim reads of a generation, apart from its failures: an expired lease adds one.
    private const string Columns =
        """
        g.id, g.user_id, g.type, g.task, g.status, g.seq, g.prompt, g.options, g.attempt, g.run_at, g.cancel_requested_at, g.deadline
        """;
}
