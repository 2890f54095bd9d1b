using StatusUpdates.Data.Queue;
using StatusUpdates.Worker.Attempts;

namespace StatusUpdates.Worker.Jobs;

/// <summary>What can start in addition to what runs: the limits of a claim.</summary>
internal sealed record Slots
{
    /// <summary>Free slots for all tasks together; 0 or less if all are taken.</summary>
    public required int Free { get; init; }

    /// <summary>How many slots one user may hold.</summary>
    public required int UserLimit { get; init; }

    /// <summary>The limits of tasks that have their own.</summary>
    public required IReadOnlyDictionary<string, TaskLimit> Tasks { get; init; }

    /// <summary>The slots in use, by user and task.</summary>
    public required IReadOnlyList<HeldJobs> Held { get; init; }

    /// <summary>Whether work may be waiting only for a slot: then a claim that found no more has not seen everything.</summary>
    public bool AreLimited =>
        Free <= 0
        || Tasks.Values.Any(t => t.Free <= 0)
        || Held.Any(h => Tasks.TryGetValue(h.Task, out var task) && h.Count >= task.OfOneUser)
        || Held.GroupBy(h => h.UserId, StringComparer.Ordinal).Any(user => user.Sum(h => h.Count) >= UserLimit);

    public static Slots Of(IReadOnlyList<RunningJob> running, WorkerOptions options) => new()
    {
        Free = options.Concurrency - running.Count,
        UserLimit = ShareOf(options.Concurrency, options),
        Tasks = options.Tasks
            .Where(task => task.Value.Concurrency is not null)
            .ToDictionary(task => task.Key, task => LimitOf(task.Key, task.Value.Concurrency!.Value, running, options), StringComparer.Ordinal),
        Held = [.. running.CountBy(j => (j.Generation.UserId, j.Generation.Task)).Select(n => new HeldJobs(n.Key.UserId, n.Key.Task, n.Value))],
    };

    private static TaskLimit LimitOf(string task, int concurrency, IReadOnlyList<RunningJob> running, WorkerOptions options) => new(
        Math.Max(0, concurrency - running.Count(j => j.Generation.Task == task)), ShareOf(concurrency, options));

    private static int ShareOf(int slots, WorkerOptions options) => Math.Max(1, (int)(slots * options.UserShare));
}
