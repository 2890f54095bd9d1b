using System.ComponentModel.DataAnnotations;

namespace StatusUpdates.Api.Workers;

/// <summary>An attempt at a generation, as a worker names it.</summary>
internal sealed record AttemptBody
{
    /// <summary>The generation.</summary>
    [Required]
    public string? Id { get; init; }

    /// <summary>The attempt.</summary>
    [Required]
    [Range(1, int.MaxValue)]
    public int? Attempt { get; init; }
}

/// <summary>Asks for generations to do.</summary>
internal sealed record ClaimBody
{
    /// <summary>This start of the worker: 1 to 100 of <c>A-Z a-z 0-9 . _ : -</c>, unique for each start.</summary>
    [Required]
    public string? WorkerId { get; init; }

    /// <summary>The tasks that it can do.</summary>
    [Required]
    [MinLength(1)]
    [MaxLength(64)]
    public IReadOnlyList<string?>? Tasks { get; init; }

    /// <summary>How many generations it can start now.</summary>
    [Required]
    [Range(1, WorkerReader.MaxFree)]
    public int? Free { get; init; }

    /// <summary>How many generations of a single task it can start now, if fewer.</summary>
    public IReadOnlyDictionary<string, int>? FreeOf { get; init; }

    /// <summary>What it is doing.</summary>
    [MaxLength(WorkerReader.MaxGenerations)]
    public IReadOnlyList<AttemptBody?>? Generations { get; init; }

    /// <summary>How long the leases are; 30 s by default.</summary>
    [Range(WorkerReader.MinLease, WorkerReader.MaxLease)]
    public int? LeaseSeconds { get; init; }

    /// <summary>How long to wait if there is nothing to do; 25 s by default.</summary>
    [Range(0, WorkerReader.MaxWait)]
    public int? WaitSeconds { get; init; }
}

/// <summary>Extends leases.</summary>
internal sealed record HeartbeatBody
{
    /// <summary>This start of the worker.</summary>
    [Required]
    public string? WorkerId { get; init; }

    /// <summary>What it is doing and wants to keep.</summary>
    [Required]
    [MaxLength(WorkerReader.MaxGenerations)]
    public IReadOnlyList<AttemptBody?>? Generations { get; init; }

    /// <summary>How long the leases are from now on; 30 s by default.</summary>
    [Range(WorkerReader.MinLease, WorkerReader.MaxLease)]
    public int? LeaseSeconds { get; init; }

    /// <summary>How long to wait for something to stop, at most half of the lease; 0 by default.</summary>
    [Range(0, WorkerReader.MaxWait)]
    public int? WaitSeconds { get; init; }
}

/// <summary>What every call for a generation has.</summary>
internal abstract record AttemptCall
{
    /// <summary>This start of the worker.</summary>
    [Required]
    public string? WorkerId { get; init; }

    /// <summary>The attempt.</summary>
    [Required]
    [Range(1, int.MaxValue)]
    public int? Attempt { get; init; }

    /// <summary>A UUID that the worker chooses for this call: a repeat with it succeeds with the same answer.</summary>
    public Guid? UpdateId { get; init; }
}

/// <summary>Reports progress.</summary>
internal sealed record UpdateBody : AttemptCall
{
    /// <summary>How much is done, in percent.</summary>
    [Required]
    [Range(0, 100)]
    public int? Progress { get; init; }
}

/// <summary>Ends an attempt with results.</summary>
internal sealed record CompleteBody : AttemptCall
{
    /// <summary>Where the results are: 1 to 16 absolute http or https addresses.</summary>
    [Required]
    [MinLength(1)]
    [MaxLength(16)]
    public IReadOnlyList<string?>? ResultUrls { get; init; }

    /// <summary>The cost, in tokens.</summary>
    [Range(0, long.MaxValue)]
    public long? TokensUsed { get; init; }
}

/// <summary>Ends an attempt that failed.</summary>
internal sealed record FailBody : AttemptCall
{
    /// <summary>Why, for the user.</summary>
    public string? Message { get; init; }

    /// <summary>Whether another attempt may succeed; false by default.</summary>
    public bool? Retryable { get; init; }

    /// <summary>How long to wait before it, at least.</summary>
    [Range(0, WorkerReader.MaxRetryAfter)]
    public int? RetryAfterSeconds { get; init; }
}

/// <summary>Ends an attempt without a result and without a failure.</summary>
internal sealed record ReleaseBody : AttemptCall
{
    /// <summary>How long to wait before the next attempt, at least.</summary>
    [Range(0, WorkerReader.MaxReleaseDelay)]
    public int? RetryAfterSeconds { get; init; }
}
