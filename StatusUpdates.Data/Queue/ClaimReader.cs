using Npgsql;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Queue;

/// <summary>What a claim returns: the list of its columns, and the method that reads it.</summary>
internal static class ClaimReader
{
    /// <summary>
    /// The update <c>e</c> and the generation <c>c</c> that it is of, NULL if there is none; whether there may be more to start (<c>m</c>), and the
    /// deadline up to which nothing is overdue now; and, only in the first row, what else the claim found (<c>f</c>).
    /// </summary>
    public const string Columns =
        $"""
        {EventReader.NumberedColumns},
        c.task, c.prompt, c.options::text, e.attempt, e.failures, c.deadline - clock_timestamp(), c.deadline,
        m.more_due, CASE WHEN $14 AND NOT m.more_ends THEN now() END,
        f.now, f.positions, f.rounds, f.stops, f.known_until, f.tasks, f.users, f.since, f.ids, f.until
        """;

    private const int Generation = EventReader.NumberedCount;
    private const int More = Generation + 7;
    private const int Findings = More + 1;

    public static async Task<(ClaimResult Result, ClaimFindings Found)> ReadAsync(NpgsqlDataReader reader, ClaimPlan plan)
    {
        var claimed = new List<ClaimedGeneration>();
        var updates = new List<StatusUpdate>();
        var mayHaveMore = false;
        ClaimFindings? found = null;
        while (await reader.ReadAsync())
        {
            if (!reader.IsDBNull(0))
            {
                var update = EventReader.ReadNumbered(reader, 0);
                updates.Add(update);
                if (update.Status == GenerationStatus.Processing)
                {
                    claimed.Add(ReadGeneration(reader, update));
                }
            }

            mayHaveMore = reader.GetBoolean(More);
            found ??= ReadFindings(reader, plan);
        }

        return (new ClaimResult(claimed, updates, mayHaveMore, found!.NoneOverdueUntil is not null), found);
    }

    private static ClaimedGeneration ReadGeneration(NpgsqlDataReader reader, StatusUpdate update) => new()
    {
        Id = update.GenerationId,
        UserId = update.UserId,
        Type = update.Type,
        Task = reader.GetString(Generation),
        Prompt = reader.GetString(Generation + 1),
        Options = reader.IsDBNull(Generation + 2) ? null : reader.GetString(Generation + 2),
        Attempt = reader.GetInt32(Generation + 3),
        Failures = reader.GetInt32(Generation + 4),
        TimeLeft = reader.IsDBNull(Generation + 5) ? null : reader.GetTimeSpan(Generation + 5),
        Deadline = reader.IsDBNull(Generation + 6) ? null : reader.GetFieldValue<DateTimeOffset>(Generation + 6),
        TraceParent = update.TraceParent,
    };

    private static ClaimFindings ReadFindings(NpgsqlDataReader reader, ClaimPlan plan) => new()
    {
        NoneOverdueUntil = reader.IsDBNull(Findings) ? null : reader.GetFieldValue<DateTimeOffset>(Findings),
        Now = reader.GetFieldValue<DateTimeOffset>(Findings + 1),
        Positions = plan.Tasks.Count == 0 ? [] : reader.GetFieldValue<string[]>(Findings + 2),
        CompletedRounds = plan.Tasks.Count == 0 ? [] : reader.GetFieldValue<bool[]>(Findings + 3),
        Stops = plan.Tasks.Count == 0 ? [] : reader.GetFieldValue<long?[]>(Findings + 4),
        KnownUntil = plan.Tasks.Count == 0 ? [] : reader.GetFieldValue<DateTimeOffset[]>(Findings + 5),
        Users = reader.IsDBNull(Findings + 6)
            ? []
            : [
                .. reader.GetFieldValue<string[]>(Findings + 6)
                    .Zip(reader.GetFieldValue<string[]>(Findings + 7), reader.GetFieldValue<DateTimeOffset[]>(Findings + 8))
                    .Select(user => new DueUser(user.First, user.Second, user.Third)),
            ],
        Leases = reader.IsDBNull(Findings + 9)
            ? null
            : [.. reader.GetFieldValue<string[]>(Findings + 9).Zip(reader.GetFieldValue<DateTimeOffset[]>(Findings + 10))],
    };
}
