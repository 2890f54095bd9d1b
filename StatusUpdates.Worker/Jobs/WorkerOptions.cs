using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Worker.Jobs;

/// <summary>Settings of the job runner; configuration section <c>Worker</c>.</summary>
internal sealed class WorkerOptions
{
    public const string SectionName = "Worker";

    /// <summary>How many generations this process runs at once. Default 16.</summary>
    [Range(1, 1000)]
    public int Concurrency { get; set; } = 16;

    /// <summary>Limits of single tasks: those whose provider takes fewer at once than this process could run.</summary>
    [ValidateObjectMembers]
    public TasksOptions Tasks { get; set; } = new();

    /// <summary>
    /// Which share of this process's slots, and of a limited task's, one user can hold at once; at least one slot. Default 0.75: a user who
    /// is alone gets most of the machine, and whoever comes next finds a slot at once instead of waiting for the end of a long job.
    /// </summary>
    [Range(0.01, 1.0)]
    public double UserShare { get; set; } = 0.75;

    /// <summary>
    /// How often the queue is looked at when no message from Redis says that there is work, and how late at most an expired lease or a
    /// deadline is noticed. Default 1 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:10:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>For how long a claim holds a generation. Extended every third of it while the work goes on. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>After how many failed attempts (transient failures, time-outs, expired leases) a generation fails for good. Default 3.</summary>
    [Range(1, 100)]
    public int MaxFailures { get; set; } = 3;

    /// <summary>
    /// How long a generation waits for its next attempt after its first failure; doubled by each further one. Up to a half of it is taken
    /// off by chance. Default 2 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan RetryBackOff { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a generation waits for its next attempt at most, unless its provider asks for more. Default 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan MaxRetryBackOff { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How many progress updates of one generation are written per second at most; the newest wins, and a change of status waits for nobody. 0 sets
    /// no rate: then the newest of what comes during a write is written after it. Default 4: what an eye can follow.
    /// </summary>
    [Range(0.0, 1000.0)]
    public double ProgressPerSecond { get; set; } = 4;

    /// <summary>
    /// How long one attempt may take: the end of a provider that hangs. It counts as a transient failure, since a hang is mostly that of a
    /// connection. Default 15 min.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "1.00:00:00")]
    public TimeSpan JobTimeout { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How long a stopped provider may take to come back before its generation is settled without it. Default 3 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan StopPatience { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long running generations may go on when the process is asked to stop; the rest is handed back. Default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan GracePeriod { get; set; } = TimeSpan.FromSeconds(10);
}

/// <summary>Settings of each task.</summary>
internal sealed class TasksOptions
{
    [ValidateObjectMembers]
    public TaskOptions ProductCard { get; set; } = new();

    [ValidateObjectMembers]
    public TaskOptions Sora { get; set; } = new();

    [ValidateObjectMembers]
    public TaskOptions ChatProcessing { get; set; } = new();

    [ValidateObjectMembers]
    public TaskOptions ImageGeneration { get; set; } = new();

    public TaskOptions Of(GenerationTask task) => task switch
    {
        GenerationTask.ProductCard => ProductCard,
        GenerationTask.Sora => Sora,
        GenerationTask.ChatProcessing => ChatProcessing,
        GenerationTask.ImageGeneration => ImageGeneration,
        _ => throw new ArgumentOutOfRangeException(nameof(task), task, "Not a task."),
    };
}

/// <summary>Settings of one task.</summary>
internal sealed class TaskOptions
{
    /// <summary>How many generations of this task the process runs at once. By default as many as of all tasks.</summary>
    [Range(1, 1000)]
    public int? Concurrency { get; set; }
}

[OptionsValidator]
internal sealed partial class WorkerOptionsValidator : IValidateOptions<WorkerOptions>;
