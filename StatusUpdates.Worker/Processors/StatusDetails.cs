namespace StatusUpdates.Worker.Processors;

/// <summary>What an update says beside its status.</summary>
internal sealed record StatusDetails
{
    /// <summary>How far it is, 0 to 100 percent.</summary>
    public int? Progress { get; init; }

    /// <summary>Where the results are, with <c>completed</c>.</summary>
    public IReadOnlyList<string>? ResultUrls { get; init; }

    /// <summary>What it cost, in tokens.</summary>
    public long? TokensUsed { get; init; }

    /// <summary>Why it failed, for the user.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>With <c>pending</c>: how long no worker takes it.</summary>
    public TimeSpan RunAfter { get; init; }

    /// <summary>Whether this attempt counts against <see cref="Jobs.WorkerOptions.MaxFailures"/>.</summary>
    public bool CountsAsFailure { get; init; }
}
