namespace StatusUpdates.Data.Cursors;

/// <summary>Statements that owners of cursors make part of their own.</summary>
public static class CursorSql
{
    /// <summary>
    /// Asks for a look at the cursor of owner <c>$1</c> because of something beside its log. Runs in the transaction that changes that. A holder
    /// that is at work and cannot know of it looks once more after its next release.
    /// </summary>
    public const string Nudge =
        "UPDATE durable_cursors SET nudges = nudges + 1, due_at = clock_timestamp(), not_before = NULL WHERE owner = $1";

    /// <summary>Stops the cursor of owner <c>$1</c>, also for its present holder, until <see cref="Resume"/>.</summary>
    public const string Pause =
        "UPDATE durable_cursors SET paused = true, epoch = epoch + 1, lease_expires_at = NULL WHERE owner = $1";

    /// <summary>Lets the cursor of owner <c>$1</c> go on from where it is.</summary>
    public const string Resume =
        """
        UPDATE durable_cursors SET paused = false, troubled = false, nudges = nudges + 1, due_at = clock_timestamp(), not_before = NULL
        WHERE owner = $1
        """;

    // Gone already, not yet due, or somebody's: left out. Who has waited longest since its last turn comes first.
    private const string ClaimHead =
        """
        WITH healthy AS (
            SELECT c.owner FROM durable_cursors c
            WHERE NOT c.troubled AND
        """;

    private const string IsFree =
        """
              NOT c.paused
              AND (c.lease_expires_at IS NULL OR c.lease_expires_at <= now())
              AND (c.not_before IS NULL OR c.not_before <= now())
              AND (c.due_at <= now()
                   OR c.last_seq <> COALESCE((SELECT s.last_seq FROM user_streams s WHERE s.user_id = c.user_id), 0))
            ORDER BY c.claimed_at NULLS FIRST
        """;

    private const string ClaimTail =
        """
        UPDATE durable_cursors c SET
            epoch = c.epoch + 1, claimed_at = clock_timestamp(), lease_expires_at = clock_timestamp() + $4
        FROM (SELECT owner FROM healthy UNION ALL SELECT owner FROM troubled) d
        WHERE c.owner = d.owner
        RETURNING c.owner, c.user_id, c.last_seq, c.state::text, c.troubled, c.epoch, c.nudges
        """;

    /// <summary>Claims of kind $1, at most $2 and of troubled ones $3, for $4, whatever their users.</summary>
    internal const string ClaimAny =
        $"""
        {ClaimHead} c.kind = $1 AND
        {IsFree} LIMIT $2 FOR NO KEY UPDATE OF c SKIP LOCKED
        ),
        troubled AS (
            SELECT c.owner FROM durable_cursors c
            WHERE c.troubled AND c.kind = $1 AND
        {IsFree} LIMIT $3 FOR NO KEY UPDATE OF c SKIP LOCKED
        )
        {ClaimTail}
        """;

    /// <summary>As <see cref="ClaimAny"/>, of the users $5.</summary>
    internal const string ClaimOfUsers =
        $"""
        {ClaimHead} c.kind = $1 AND c.user_id = ANY ($5) AND
        {IsFree} LIMIT $2 FOR NO KEY UPDATE OF c SKIP LOCKED
        ),
        troubled AS (
            SELECT c.owner FROM durable_cursors c
            WHERE c.troubled AND c.kind = $1 AND c.user_id = ANY ($5) AND
        {IsFree} LIMIT $3 FOR NO KEY UPDATE OF c SKIP LOCKED
        )
        {ClaimTail}
        """;

    /// <summary>Extends the leases of owners $1 with epochs $2 to $3 from now; yields the owners whose cursors are still held.</summary>
    internal const string Renew =
        """
        UPDATE durable_cursors c SET lease_expires_at = clock_timestamp() + $3
        FROM unnest($1, $2) AS h (owner, epoch)
        WHERE c.owner = h.owner AND c.epoch = h.epoch AND c.lease_expires_at IS NOT NULL
        RETURNING c.owner
        """;

    /// <summary>
    /// The position and what goes with it, if owner $1's cursor is still held under epoch $2. Something beside the log that has come up since
    /// the claim ($9 nudges) makes it due at once, whatever the holder, which did not see it, says.
    /// </summary>
    internal const string Save =
        """
        WITH held AS (
            UPDATE durable_cursors c SET
                last_seq = $3, state = $4, troubled = $5,
                not_before = CASE WHEN c.nudges = $9 THEN clock_timestamp() + $6 END,
                due_at = CASE WHEN c.nudges = $9 THEN clock_timestamp() + $7 ELSE clock_timestamp() END,
                lease_expires_at = CASE WHEN $8 THEN NULL ELSE c.lease_expires_at END
            WHERE c.owner = $1 AND c.epoch = $2
            RETURNING c.owner
        )
        """;

    /// <summary>Gives owner $1's cursor back for $3 from now, as it was stored last.</summary>
    internal const string GiveBack =
        """
        UPDATE durable_cursors c SET lease_expires_at = NULL, not_before = CASE WHEN c.nudges = $4 THEN clock_timestamp() + $3 END
        WHERE c.owner = $1 AND c.epoch = $2
        """;
}
