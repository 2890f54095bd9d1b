using System.Collections.Immutable;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Data.Queue;

/// <summary>What a worker asks for.</summary>
public sealed record ClaimRequest
{
    /// <summary>The worker process; unique for each start, so that a restarted one never passes for its predecessor.</summary>
    public required string Owner { get; init; }

    /// <summary>The tasks it can do.</summary>
    public required IReadOnlyList<GenerationTask> Tasks { get; init; }

    /// <summary>How many it can start now. With 0 only ends are written: of overdue generations, and of expired leases that lead nowhere.</summary>
    public required int Limit { get; init; }

    /// <summary>Limits of single tasks; one that is missing has none but <see cref="Limit"/> and <see cref="UserLimit"/>.</summary>
    public IReadOnlyDictionary<GenerationTask, TaskLimit> TaskLimits { get; init; } = ImmutableDictionary<GenerationTask, TaskLimit>.Empty;

    /// <summary>How many one user may hold at once, those in <see cref="Held"/> included.</summary>
    public int UserLimit { get; init; } = int.MaxValue;

    /// <summary>What runs in this process.</summary>
    public IReadOnlyList<HeldJobs> Held { get; init; } = [];

    /// <summary>Whether to look for expired leases and overdue generations too, which costs as much as there is running.</summary>
    public bool Sweep { get; init; } = true;

    /// <summary>For how long it holds them, unless it extends.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>After how many counted failures a generation fails for good.</summary>
    public int MaxFailures { get; init; } = 3;
}

/// <summary>How much of one task.</summary>
/// <param name="Free">How many can start now.</param>
/// <param name="OfOneUser">How many one user may hold at once.</param>
public sealed record TaskLimit(int Free, int OfOneUser);

/// <summary>What one user has running of one task.</summary>
public sealed record HeldJobs(string UserId, GenerationTask Task, int Count);
