using System.Collections.Immutable;

namespace StatusUpdates.Data.Queue;

/// <summary>A worker's request for jobs.</summary>
public sealed record ClaimRequest
{
    /// <summary>The worker process; unique for each start, so a restarted one is never taken for its predecessor.</summary>
    public required string Owner { get; init; }

    /// <summary>The tasks it can process.</summary>
    public required IReadOnlyList<string> Tasks { get; init; }

    /// <summary>How many it can start now. With 0, only overdue generations are ended, and expired ones without a further attempt.</summary>
    public required int Limit { get; init; }

    /// <summary>Limits of individual tasks; for the others, only <see cref="Limit"/> and <see cref="UserLimit"/> apply.</summary>
    public IReadOnlyDictionary<string, TaskLimit> TaskLimits { get; init; } = ImmutableDictionary<string, TaskLimit>.Empty;

    /// <summary>How many one user may hold at once, including those in <see cref="Held"/>.</summary>
    public int UserLimit { get; init; } = int.MaxValue;

    /// <summary>What runs in this process.</summary>
    public IReadOnlyList<HeldJobs> Held { get; init; } = [];

    /// <summary>
    /// Whether to look also for expired leases, for overdue generations, and for users without a <see cref="GenerationQueue.Hint"/>: needed now and
    /// then, because these are not found otherwise.
    /// </summary>
    public bool Sweep { get; init; } = true;

    /// <summary>How long the leases last, unless they are extended.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>After how many counted failures a generation fails for good.</summary>
    public int MaxFailures { get; init; } = 3;
}

/// <summary>The limits of one task.</summary>
/// <param name="Free">How many can start now.</param>
/// <param name="OfOneUser">How many one user may hold at once.</param>
public sealed record TaskLimit(int Free, int OfOneUser);

/// <summary>How many jobs of one task a user has running.</summary>
public sealed record HeldJobs(string UserId, string Task, int Count);
