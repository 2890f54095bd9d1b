using System.Collections.Concurrent;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Scenarios.BadDay;

/// <summary>An update that was committed.</summary>
internal sealed record Committed(string UserId, long Seq, string Cursor, Guid UpdateId, string GenerationId, string Status, bool IsProgress);

/// <summary>Everything that was ever committed: in the current log, and in logs that a failover replaced. Thread-safe.</summary>
internal sealed class History
{
    private readonly ConcurrentDictionary<(string UserId, string Cursor), Committed> _lost = [];

    /// <summary>How many updates were lost by failovers.</summary>
    public int LostCount => _lost.Count;

    /// <summary>Generations that have no update left.</summary>
    public IReadOnlySet<string> LostGenerations(IEnumerable<Committed> log)
    {
        var left = log.Select(update => update.GenerationId).ToHashSet(StringComparer.Ordinal);
        return _lost.Values.Select(update => update.GenerationId).Where(id => !left.Contains(id)).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Records the updates that the old primary had and the new one does not have.</summary>
    public async Task RecordFailoverAsync(string before, string after)
    {
        var left = (await ReadAsync(after)).Select(update => (update.UserId, update.Cursor)).ToHashSet();
        foreach (var update in await ReadAsync(before))
        {
            if (!left.Contains((update.UserId, update.Cursor)))
            {
                _lost[(update.UserId, update.Cursor)] = update;
            }
        }
    }

    /// <summary>The lost update with this user and cursor; null if there is none.</summary>
    public Committed? FindLost(string userId, string cursor) => _lost.GetValueOrDefault((userId, cursor));

    /// <summary>Whether an update with this id was lost by a failover.</summary>
    public bool WasLost(Guid updateId) => _lost.Values.Any(update => update.UpdateId == updateId);

    /// <summary>All updates that are committed now, by user and seq. If the server is unavailable, it waits until it is back.</summary>
    public static async Task<IReadOnlyList<Committed>> ReadAsync(string connectionString)
    {
        while (true)
        {
            try
            {
                return await ReadOnceAsync(connectionString);
            }
            catch (NpgsqlException e) when (DatabaseErrors.IsTransient(e))
            {
                await Task.Delay(100, TestTime.Token);
            }
        }
    }

    private static async Task<IReadOnlyList<Committed>> ReadOnceAsync(string connectionString)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(TestTime.Token);
        await using var command = new NpgsqlCommand(
            """
            SELECT user_id, seq, update_id, generation_id, status,
                   status = 'processing' AND lag(status) OVER (PARTITION BY generation_id ORDER BY seq) = 'processing'
            FROM status_events ORDER BY user_id, seq
            """,
            connection);
        await using var reader = await command.ExecuteReaderAsync(TestTime.Token);
        var all = new List<Committed>();
        while (await reader.ReadAsync(TestTime.Token))
        {
            var (seq, updateId) = (reader.GetInt64(1), reader.GetGuid(2));
            all.Add(new Committed(
                reader.GetString(0),
                seq,
                new LogPosition(seq, LogPosition.CheckOf(updateId)).ToString(),
                updateId,
                reader.GetString(3),
                reader.GetString(4),
                !reader.IsDBNull(5) && reader.GetBoolean(5)));
        }

        return all;
    }
}
