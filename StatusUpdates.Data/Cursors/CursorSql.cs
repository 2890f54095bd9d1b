namespace StatusUpdates.Data.Cursors;

/// <summary>Statements on durable cursors. The public ones are for the transactions of the cursors' owners.</summary>
public static class CursorSql
{
    /// <summary>
    /// Requests a run of the cursor of owner <c>$1</c> for a reason outside its log. Belongs in the transaction that makes that change. A holder
    /// that is already running, and may have missed it, runs once more after its next release.
    /// </summary>
    public const string Nudge =
        "UPDATE durable_cursors SET nudges = nudges + 1, due_at = clock_timestamp(), not_before = NULL WHERE owner = $1";

    /// <summary>
    /// Like <see cref="Nudge"/>, for a change that makes the current holder's data stale: that holder is fenced off, and another one starts afresh.
    /// A paused cursor stays paused.
    /// </summary>
    public const string Interrupt =
        """
        UPDATE durable_cursors SET
            epoch = epoch + 1, lease_expires_at = NULL, nudges = nudges + 1, due_at = clock_timestamp(), not_before = NULL
        WHERE owner = $1
        """;

    /// <summary>Pauses the cursor of owner <c>$1</c> until <see cref="Resume"/>, and fences off its current holder.</summary>
    public const string Pause =
        "UPDATE durable_cursors SET paused = true, epoch = epoch + 1, lease_expires_at = NULL WHERE owner = $1";

    /// <summary>Lets the cursor of owner <c>$1</c> continue from its position, with a new holder.</summary>
    public const string Resume =
        """
        UPDATE durable_cursors SET
            paused = false, troubled = false, epoch = epoch + 1, lease_expires_at = NULL,
            nudges = nudges + 1, due_at = clock_timestamp(), not_before = NULL
        WHERE owner = $1
        """;

    private const string IsFree =
        """
        NOT c.paused AND (c.lease_expires_at IS NULL OR c.lease_expires_at <= now()) AND (c.not_before IS NULL OR c.not_before <= now())
        """;

    // Claims those of the scanned cursors that are free and have work, the one with the oldest claim first; rows that are locked meanwhile are
    // skipped. A cursor that the claimer itself still holds (owners $5 with epochs $6) is excluded even if its lease has expired because the
    // database was away: only its holder here knows what was delivered.
    private const string ClaimTail =
        $"""
        waiting AS MATERIALIZED (
            SELECT c.owner, c.troubled, c.claimed_at FROM scanned c LEFT JOIN user_streams s ON s.user_id = c.user_id
            WHERE {IsFree} AND (c.due_at <= now() OR c.last_seq <> COALESCE(s.last_seq, 0) OR c.last_check <> s.last_check)
              AND NOT EXISTS (SELECT FROM unnest($5, $6) AS h (owner, epoch) WHERE h.owner = c.owner AND h.epoch = c.epoch)
        ),
        chosen AS (
            (SELECT owner FROM waiting WHERE NOT troubled ORDER BY claimed_at NULLS FIRST LIMIT $2)
            UNION ALL
            (SELECT owner FROM waiting WHERE troubled ORDER BY claimed_at NULLS FIRST LIMIT $3)
        ),
        locked AS MATERIALIZED (
            SELECT c.owner FROM durable_cursors c WHERE c.owner = ANY (ARRAY(SELECT owner FROM chosen)) AND {IsFree}
            FOR NO KEY UPDATE OF c SKIP LOCKED
        ),
        claimed AS (
            UPDATE durable_cursors c SET
                epoch = c.epoch + 1, claimed_at = clock_timestamp(), lease_expires_at = clock_timestamp() + $4
            WHERE c.owner = ANY (ARRAY(SELECT owner FROM locked))
            RETURNING c.owner, c.user_id, c.last_seq, c.state::text, c.troubled, c.epoch, c.nudges, c.last_check
        )
        SELECT * FROM claimed
        """;

    /// <summary>Claims cursors of kind $1 of the users $7, at most $2 healthy and $3 troubled ones, with a lease of $4.</summary>
    internal const string ClaimOfUsers =
        $"""
        -- claim cursors
        WITH scanned AS MATERIALIZED (
            SELECT c.* FROM durable_cursors c WHERE c.kind = $1 AND c.user_id = ANY ($7)
        ),
        {ClaimTail}
        """;

    /// <summary>
    /// Like <see cref="ClaimOfUsers"/>, for the next $8 cursors after owner $7, by primary key. The last row contains only the last owner scanned;
    /// null when the end was reached.
    /// </summary>
    internal const string ClaimNext =
        $"""
        -- claim cursors
        WITH scanned AS MATERIALIZED (
            SELECT c.* FROM durable_cursors c WHERE c.owner > GREATEST($7, $1 || ':') AND c.owner < $1 || ';' ORDER BY c.owner LIMIT $8
        ),
        {ClaimTail}
        UNION ALL
        SELECT CASE WHEN count(*) = $8 THEN max(owner) END, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM scanned
        """;

    /// <summary>Extends the leases of owners $1 with epochs $2 to $3 from now; returns the owners whose cursors are still held.</summary>
    internal const string Renew =
        """
        -- renew cursors
        UPDATE durable_cursors c SET lease_expires_at = clock_timestamp() + $3
        FROM unnest($1, $2) AS h (owner, epoch)
        WHERE c.owner = h.owner AND c.epoch = h.epoch AND c.lease_expires_at IS NOT NULL
        RETURNING c.owner
        """;

    /// <summary>
    /// Stores the position and what goes with it, if owner $1's cursor is still held under epoch $2. The cursor stays due until it is released ($8),
    /// for the next holder if this one dies. It also stays due, regardless of what this holder requests, if its nudges have changed since the claim
    /// ($9): the holder has not seen the reason. $10 is the position's check.
    /// </summary>
    internal const string Save =
        """
        -- save cursor
        WITH held AS (
            UPDATE durable_cursors c SET
                last_seq = $3, last_check = $10, state = $4, troubled = $5,
                not_before = CASE WHEN $8 AND c.nudges = $9 THEN clock_timestamp() + $6 END,
                due_at = CASE WHEN $8 AND c.nudges = $9 THEN clock_timestamp() + $7 ELSE clock_timestamp() END,
                lease_expires_at = CASE WHEN $8 THEN NULL ELSE c.lease_expires_at END
            WHERE c.owner = $1 AND c.epoch = $2
            RETURNING c.owner
        )
        """;

    /// <summary>Gives owner $1's cursor back as it was last stored, to be claimed again after the pause $3.</summary>
    internal const string GiveBack =
        """
        -- give back cursor
        UPDATE durable_cursors c SET lease_expires_at = NULL, not_before = CASE WHEN c.nudges = $4 THEN clock_timestamp() + $3 END
        WHERE c.owner = $1 AND c.epoch = $2
        """;
}
