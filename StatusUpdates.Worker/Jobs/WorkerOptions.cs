using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Worker.Jobs;

/// <summary>The job runner. Read by the worker.</summary>
internal sealed class WorkerOptions
{
    public const string SectionName = "Worker";

    /// <summary>How many generations this process runs at once.</summary>
    [Range(1, 1000)]
    public int Concurrency { get; set; } = 16;

    public Dictionary<string, TaskOptions> Tasks { get; set; } = new(StringComparer.Ordinal);

    /// <summary>
    /// The share of this process's slots, and of a limited task's slots, that one user can hold at once; at least one slot. With the default a single
    /// user gets most of the machine, and the next user finds a slot at once instead of waiting for a long job to end.
    /// </summary>
    [Range(0.01, 1.0)]
    public double UserShare { get; set; } = 0.75;

    /// <summary>
    /// How long a claim holds a generation: after its worker's death it waits that long. Extended every third of it while the work continues.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long running generations may continue when the process is asked to stop; the rest are handed back.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan GracePeriod { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How often the queue is polled if no message from Redis announces work, and the longest delay until an expired lease or a deadline is
    /// noticed.
    /// </summary>
    public TimeSpan PollInterval { get; internal set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The most progress updates of one generation that are written per second, as many as an eye can follow; the newest wins, and a change of status
    /// does not wait. 0 means no limit: then the newest value that is reported during a write is written after it.
    /// </summary>
    public double ProgressPerSecond { get; internal set; } = 4;

    /// <summary>How long a stopped provider may take to return before its generation is settled without it.</summary>
    public TimeSpan StopPatience { get; internal set; } = TimeSpan.FromSeconds(3);
}

/// <summary>Settings of one task.</summary>
internal sealed class TaskOptions
{
    /// <summary>How many generations of this task the process runs at once, if its provider accepts fewer than the process could run.</summary>
    /// <value><c>Worker:Concurrency</c></value>
    [Range(1, MaxConcurrency)]
    public int? Concurrency { get; set; }

    internal const int MaxConcurrency = 1000;
}

[OptionsValidator]
internal sealed partial class WorkerOptionsValidator : IValidateOptions<WorkerOptions>;
