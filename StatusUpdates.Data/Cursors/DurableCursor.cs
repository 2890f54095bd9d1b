using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Cursors;

/// <summary>A cursor at the time of its claim.</summary>
/// <param name="Owner">The recipient, such as <c>webhook:wh-…</c>.</param>
/// <param name="UserId">The owner of the log.</param>
/// <param name="Position">The last entry delivered.</param>
/// <param name="State">What its service stores along with the position, a JSON object.</param>
/// <param name="IsTroubled">Whether recent deliveries failed.</param>
/// <param name="Epoch">The claim's fencing token.</param>
/// <param name="Nudges">How often a run was requested for a reason outside the log.</param>
internal sealed record DurableCursor(
    string Owner, string UserId, LogPosition Position, string? State, bool IsTroubled, long Epoch, long Nudges);

/// <summary>What to claim.</summary>
/// <param name="Kind">The service's kind of cursors.</param>
/// <param name="Limit">The maximum number, not counting troubled ones.</param>
/// <param name="TroubledLimit">The maximum number of troubled ones.</param>
/// <param name="Lease">How long the claim lasts.</param>
/// <param name="HeldHere">Cursors that run in the claimer's process: not claimed again, even after their leases have expired.</param>
internal readonly record struct CursorClaim(
    string Kind, int Limit, int TroubledLimit, TimeSpan Lease, IReadOnlyCollection<DurableCursor> HeldHere);

/// <summary>What a holder stores of its cursor.</summary>
/// <param name="Position">The last entry whose delivery was acknowledged.</param>
public sealed record CursorSave(LogPosition Position)
{
    /// <summary>What to store along with the position, a JSON object; null for nothing.</summary>
    public string? State { get; init; }

    /// <summary>Whether deliveries currently fail: such cursors have slots of their own, and do not delay others.</summary>
    public bool IsTroubled { get; init; }

    /// <summary>For how long after its release the cursor must not be claimed, even if new entries arrive; null for no pause.</summary>
    public TimeSpan? NotBefore { get; init; }

    /// <summary>How long after its release the cursor is due even without new entries; null if it is not.</summary>
    public TimeSpan? DueAfter { get; init; }

    /// <summary>Whether this holder is done: any instance may then claim the cursor.</summary>
    public bool Release { get; init; }
}

/// <summary>
/// Writes that are committed together with the position: CTEs that follow <c>held</c>, which has one row if the cursor is still held, else none.
/// They begin with a comma, number their parameters from $11, and must do nothing if <c>held</c> is empty.
/// </summary>
/// <param name="Sql">Such as <c>, kept AS (INSERT INTO t SELECT $11 FROM held ON CONFLICT …)</c>. A save may be repeated after an unknown outcome.</param>
/// <param name="Parameters">Adds the parameters, in order.</param>
public sealed record CursorEffect(string Sql, Action<Npgsql.NpgsqlParameterCollection> Parameters);

/// <summary>The cursor is no longer held: its lease expired, or its owner changed or deleted it. What the holder has read is stale.</summary>
public sealed class CursorLostException(string owner) : Exception($"The cursor {owner} is no longer held here.");
