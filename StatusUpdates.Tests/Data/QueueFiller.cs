using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Data;

/// <summary>Fills a queue with thousands of generations, as submissions would, and builds claim requests.</summary>
internal static class QueueFiller
{
    /// <summary>Adds <paramref name="count"/> pending generations of one user to the queue.</summary>
    public static Task FillAsync(
        this TestDatabase db,
        string user,
        int count,
        string task = "sora",
        string runAt = "now()",
        string deadline = "NULL") => db.ExecuteAsync(
        $"""
        WITH stream AS (
            INSERT INTO user_streams AS s (user_id, last_seq, oldest_seq, last_check) VALUES ('{user}', {count}, 1, 0)
            ON CONFLICT (user_id) DO UPDATE SET last_seq = s.last_seq + {count}
            RETURNING last_seq - {count} AS base
        ),
        created AS (
            INSERT INTO generations (id, user_id, type, task, status, seq, first_seq, prompt, created_at, updated_at, run_at, deadline,
                                     attempt, failures, last_update_id)
            SELECT 'gen-' || gen_random_uuid(), '{user}', '{GenerationTypes.Default.TypeOf(task)!.Name}', '{task}', 'pending',
                   base + i, base + i, 'a prompt', now(), now(), {runAt} + i * interval '1 microsecond', {deadline}, 0, 0, gen_random_uuid()
            FROM stream, generate_series(1, {count}) i
            RETURNING *
        ),
        counted AS (
            INSERT INTO generation_counts AS c (user_id, type, status, count)
            VALUES ('{user}', '{GenerationTypes.Default.TypeOf(task)!.Name}', 'pending', {count})
            ON CONFLICT (user_id, type, status) DO UPDATE SET count = c.count + {count}
        )
        INSERT INTO status_events (user_id, seq, generation_id, type, status, occurred_at, update_id)
        SELECT user_id, seq, id, type, status, updated_at, last_update_id FROM created
        """,
        TestTime.Token);

    /// <summary>A claim of all tasks.</summary>
    public static ClaimRequest Request(int limit, string owner = "w") => new()
    {
        Owner = owner,
        Tasks = GenerationTypes.Default.TaskNames,
        Limit = limit,
        Lease = TimeSpan.FromMinutes(5),
    };

    /// <summary>The running jobs by user and task, as a worker reports them.</summary>
    public static IReadOnlyList<HeldJobs> Held(IEnumerable<ClaimedGeneration> running) =>
        [.. running.CountBy(j => (j.UserId, j.Task)).Select(n => new HeldJobs(n.Key.UserId, n.Key.Task, n.Value))];
}
