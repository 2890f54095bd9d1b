namespace StatusUpdates.Data.Queue;

/// <summary>What a claim takes from the memory; goes back by <see cref="QueueMemory.Record"/> or <see cref="QueueMemory.GiveBack"/>.</summary>
internal sealed record ClaimPlan
{
    /// <summary>The tasks, beginning with another one in each claim.</summary>
    public required IReadOnlyList<string> Tasks { get; init; }

    /// <summary>For each task: the user after which to explore; null if the users are known.</summary>
    public required IReadOnlyList<string?> Positions { get; init; }

    /// <summary>Whether the claim explores the index of any task.</summary>
    public bool Explores => Positions.Any(position => position is not null);

    /// <summary>For each task: the time up to which everything that became pending is known.</summary>
    public required IReadOnlyList<DateTimeOffset> KnownUntil { get; init; }

    /// <summary>Users to check, in round-robin order, each with a time before which it has nothing pending.</summary>
    public required IReadOnlyList<DueUser> Users { get; init; }

    /// <summary>Whether there are users with possibly due work that this claim does not check.</summary>
    public required bool HasMoreUsers { get; init; }

    /// <summary>Generations whose leases may have expired.</summary>
    public required IReadOnlyList<string> Leases { get; init; }

    /// <summary>The start time up to which all running generations are known.</summary>
    public required DateTimeOffset RunningKnownUntil { get; init; }

    /// <summary>No pending generation's deadline was at or before this time: the search for overdue ones begins after it.</summary>
    public required DateTimeOffset OverdueAfter { get; init; }
}

/// <summary>A user with something pending for a task, none of it before <paramref name="Since"/>.</summary>
internal readonly record struct DueUser(string Task, string UserId, DateTimeOffset Since);

/// <summary>What a claim found, for the following ones.</summary>
internal sealed record ClaimFindings
{
    /// <summary>The claim's time, by the database's clock.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>For each task: where its exploration ended.</summary>
    public required IReadOnlyList<string> Positions { get; init; }

    /// <summary>For each task: whether its exploration has completed a round.</summary>
    public required IReadOnlyList<bool> CompletedRounds { get; init; }

    /// <summary>For each task: the number (from 1) of the last user served, if those after it have to wait for another claim.</summary>
    public required IReadOnlyList<long?> Stops { get; init; }

    /// <summary>For each task: the time up to which it has read what became pending.</summary>
    public required IReadOnlyList<DateTimeOffset> KnownUntil { get; init; }

    /// <summary>Users found to have due work, those that were served at the end.</summary>
    public required IReadOnlyList<DueUser> Users { get; init; }

    /// <summary>Running generations it saw, each with the earliest end of its lease; null if there are too many to remember.</summary>
    public required IReadOnlyList<(string Id, DateTimeOffset Until)>? Leases { get; init; }

    /// <summary>The deadline up to which nothing is overdue now; null if it did not search, or not to the end.</summary>
    public required DateTimeOffset? NoneOverdueUntil { get; init; }
}
