using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Cursors;

/// <summary>A cursor as it was when it was claimed.</summary>
/// <param name="Owner">Who is told, such as <c>webhook:wh-…</c>.</param>
/// <param name="UserId">Whose log.</param>
/// <param name="Position">The last entry that was told.</param>
/// <param name="State">What its service keeps beside the position, a JSON object.</param>
/// <param name="IsTroubled">Whether telling failed lately.</param>
/// <param name="Epoch">The claim's fencing token.</param>
/// <param name="Nudges">How often something beside the log has asked for a look.</param>
internal sealed record DurableCursor(
    string Owner, string UserId, LogPosition Position, string? State, bool IsTroubled, long Epoch, long Nudges);

/// <summary>What is to be claimed.</summary>
/// <param name="Kind">Of which service.</param>
/// <param name="Limit">How many at most, without the troubled ones.</param>
/// <param name="TroubledLimit">How many troubled ones at most.</param>
/// <param name="Lease">For how long.</param>
/// <param name="HeldHere">What the claimer is at work with: not claimed again, even after its lease.</param>
internal readonly record struct CursorClaim(
    string Kind, int Limit, int TroubledLimit, TimeSpan Lease, IReadOnlyCollection<DurableCursor> HeldHere);

/// <summary>What a holder stores of its cursor. The position is that of the last entry whose telling was acknowledged.</summary>
/// <param name="Position">The last entry that was told.</param>
public sealed record CursorSave(LogPosition Position)
{
    /// <summary>What to keep beside the position, a JSON object; null for nothing.</summary>
    public string? State { get; init; }

    /// <summary>Whether telling fails at present: such cursors have slots of their own, and keep no other waiting.</summary>
    public bool IsTroubled { get; init; }

    /// <summary>How long from its release nothing is to be done for this cursor, whatever comes; null for no such time.</summary>
    public TimeSpan? NotBefore { get; init; }

    /// <summary>How long from its release there is something to do even if the log has nothing new; null when there is not.</summary>
    public TimeSpan? DueAfter { get; init; }

    /// <summary>Whether this holder is done: any instance may claim the cursor from now on.</summary>
    public bool Release { get; init; }
}

/// <summary>
/// What has to be stored together with the position: CTEs that follow <c>held</c>, which yields one row if the cursor is still this
/// holder's and none if not. They begin with a comma and number their parameters from $11, and do nothing where <c>held</c> is empty.
/// </summary>
/// <param name="Sql">Such as <c>, kept AS (INSERT INTO t SELECT $11 FROM held ON CONFLICT …)</c>. A save may be repeated after an unknown outcome.</param>
/// <param name="Parameters">Adds the parameters, in order.</param>
public sealed record CursorEffect(string Sql, Action<Npgsql.NpgsqlParameterCollection> Parameters);

/// <summary>The cursor is no longer this holder's: its lease ran out, or its owner changed or deleted it. What the holder knew is void.</summary>
public sealed class CursorLostException(string owner) : Exception($"The cursor {owner} is no longer held here.")
{
    /// <summary>Whose cursor.</summary>
    public string Owner { get; } = owner;
}
