using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>
/// The log of status updates: append to it, read after a cursor. What an append returns as committed is durable; nothing else is
/// visible to any reader. Thread-safe; one instance serves a process.
/// </summary>
public sealed class StatusLog(StatusDatabase database)
{
    /// <summary>How many heads one statement reads.</summary>
    internal const int BoundsChunk = 1000;

    // Looks with a snapshot of its own: an update that was committed while the append waited for its lock is found as well.
    private const string FindCommittedSql =
        $"""
        SELECT i.ord, {LogSql.EventColumns}
        FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS i (generation_id, update_id, ord)
        JOIN status_events e ON e.generation_id = i.generation_id AND e.update_id = i.update_id
        """;

    private const string ReadAfterSql =
        $"""
        SELECT s.oldest_seq, s.last_seq, {LogSql.EventColumns}
        FROM user_streams s
        LEFT JOIN LATERAL (SELECT * FROM status_events WHERE user_id = s.user_id AND seq > $2 ORDER BY seq LIMIT $3) e ON true
        WHERE s.user_id = $1
        ORDER BY e.seq
        """;

    private const string ReadHistorySql =
        $"""
        SELECT s.oldest_seq, g.first_seq, {LogSql.EventColumns}
        FROM generations g
        JOIN user_streams s ON s.user_id = g.user_id
        LEFT JOIN LATERAL (SELECT * FROM status_events WHERE generation_id = g.id AND seq > $3 ORDER BY seq LIMIT $4) e ON true
        WHERE g.id = $2 AND g.user_id = $1
        ORDER BY e.seq
        """;

    /// <summary>Appends one change.</summary>
    /// <returns>Committed with its seq, or refused and why.</returns>
    /// <exception cref="NpgsqlException">The database did not answer within <see cref="StatusDatabaseOptions.RetryFor"/>; the outcome is unknown,
    /// and the same change (same <see cref="StatusChange.UpdateId"/>) may be appended again without harm.</exception>
    public async Task<AppendResult> AppendAsync(StatusChange change, CancellationToken cancellationToken = default) =>
        (await AppendAsync([change], cancellationToken))[0];

    /// <summary>Appends many changes in one transaction; each has its own outcome. Of one user they get their numbers in this order.</summary>
    /// <param name="changes">At most one of each generation.</param>
    /// <param name="cancellationToken">Ends the wait; the changes may be committed all the same.</param>
    /// <returns>The outcomes, in the order of the changes.</returns>
    /// <exception cref="ArgumentException">Two changes of one generation.</exception>
    /// <exception cref="NpgsqlException">As with a single change; none or all of them are committed.</exception>
    public async Task<IReadOnlyList<AppendResult>> AppendAsync(
        IReadOnlyList<StatusChange> changes, CancellationToken cancellationToken = default)
    {
        if (changes.Count == 0)
        {
            return [];
        }

        if (changes.DistinctBy(c => c.GenerationId, StringComparer.Ordinal).Count() != changes.Count)
        {
            throw new ArgumentException("A batch holds at most one change of each generation.", nameof(changes));
        }

        var batch = new AppendBatch(changes);
        var results = await database.RetryAsync(token => TryAppendAsync(batch, token), cancellationToken);
        await FindCommittedAsync(batch, results, cancellationToken);
        Count(results);
        return results;
    }

    /// <summary>Reads the updates after a cursor, with the log's bounds at that same moment.</summary>
    /// <param name="userId">Whose log.</param>
    /// <param name="cursor">The last position already seen; 0 for none.</param>
    /// <param name="limit">At most this many, from 1.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <returns>A page; check <see cref="LogBounds.Covers"/> before its items are used.</returns>
    public Task<LogPage> ReadAfterAsync(string userId, long cursor, int limit, CancellationToken cancellationToken = default) =>
        StatusDatabase.ReadAsync(token => TryReadAfterAsync(userId, cursor, limit, token), cancellationToken);

    /// <summary>The bounds of one user's log; <see cref="LogBounds.Empty"/> if nothing was ever written to it.</summary>
    public async Task<LogBounds> ReadBoundsAsync(string userId, CancellationToken cancellationToken = default) =>
        (await ReadBoundsAsync([userId], cancellationToken)).GetValueOrDefault(userId, LogBounds.Empty);

    /// <summary>The bounds of many logs, by primary key, in statements of at most 1,000 users; users without a log are absent.</summary>
    public async Task<IReadOnlyDictionary<string, LogBounds>> ReadBoundsAsync(
        IReadOnlyCollection<string> userIds, CancellationToken cancellationToken = default)
    {
        var bounds = new Dictionary<string, LogBounds>(userIds.Count, StringComparer.Ordinal);
        foreach (var chunk in userIds.Chunk(BoundsChunk))
        {
            await StatusDatabase.ReadAsync(token => TryReadBoundsAsync(chunk, bounds, token), cancellationToken);
        }

        return bounds;
    }

    /// <summary>Reads one generation's updates after a cursor.</summary>
    /// <returns>A page; null if this user has no such generation.</returns>
    public Task<GenerationHistory?> ReadHistoryAsync(
        string userId, string generationId, long since, int limit, CancellationToken cancellationToken = default) =>
        StatusDatabase.ReadAsync(token => TryReadHistoryAsync(userId, generationId, since, limit, token), cancellationToken);

    private async Task<LogPage> TryReadAfterAsync(string userId, long cursor, int limit, CancellationToken cancellationToken)
    {
        await using var command = database.DataSource.CreateCommand(ReadAfterSql);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = userId });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = cursor });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var bounds = LogBounds.Empty;
        var items = new List<StatusUpdate>();
        while (await reader.ReadAsync(cancellationToken))
        {
            bounds = new LogBounds(reader.GetInt64(0), reader.GetInt64(1));
            if (!reader.IsDBNull(2))
            {
                items.Add(EventReader.Read(reader, 2));
            }
        }

        return new LogPage(bounds, items);
    }

    private async Task<int> TryReadBoundsAsync(string[] userIds, Dictionary<string, LogBounds> bounds, CancellationToken cancellationToken)
    {
        await using var command = database.DataSource.CreateCommand(
            "SELECT user_id, oldest_seq, last_seq FROM user_streams WHERE user_id = ANY ($1)");
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = userIds });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            bounds[reader.GetString(0)] = new LogBounds(reader.GetInt64(1), reader.GetInt64(2));
        }

        return bounds.Count;
    }

    private async Task<GenerationHistory?> TryReadHistoryAsync(
        string userId, string generationId, long since, int limit, CancellationToken cancellationToken)
    {
        await using var command = database.DataSource.CreateCommand(ReadHistorySql);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = userId });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = generationId });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = since });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        List<StatusUpdate>? items = null;
        var complete = true;
        while (await reader.ReadAsync(cancellationToken))
        {
            items ??= [];
            complete = Math.Max(reader.GetInt64(1), since + 1) >= reader.GetInt64(0);
            if (!reader.IsDBNull(2))
            {
                items.Add(EventReader.Read(reader, 2));
            }
        }

        return items is null ? null : new GenerationHistory(items, complete);
    }

    private async Task<AppendResult[]> TryAppendAsync(AppendBatch batch, CancellationToken cancellationToken)
    {
        await using var command = batch.CreateCommand(database.DataSource);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var results = new AppendResult[batch.Changes.Count];
        for (var i = 0; await reader.ReadAsync(cancellationToken); i++)
        {
            results[i] = batch.ReadResult(reader, i);
        }

        return results;
    }

    /// <summary>A refusal may be the echo of an earlier try whose answer was lost: then that try's outcome counts.</summary>
    private async Task FindCommittedAsync(AppendBatch batch, AppendResult[] results, CancellationToken cancellationToken)
    {
        var refused = Enumerable.Range(0, results.Length).Where(i => !results[i].IsCommitted).ToArray();
        if (refused.Length == 0)
        {
            return;
        }

        var found = await database.RetryAsync(
            async token =>
            {
                await using var command = database.DataSource.CreateCommand(FindCommittedSql);
                command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. refused.Select(i => batch.Changes[i].GenerationId)] });
                command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. refused.Select(i => batch.Changes[i].UpdateId)] });
                await using var reader = await command.ExecuteReaderAsync(token);
                var committed = new List<(int Index, StatusUpdate Update)>();
                while (await reader.ReadAsync(token))
                {
                    committed.Add((refused[reader.GetInt64(0) - 1], EventReader.Read(reader, 1)));
                }

                return committed;
            },
            cancellationToken);
        foreach (var (index, update) in found)
        {
            results[index] = new AppendResult(update, null, null);
        }
    }

    private static void Count(AppendResult[] results)
    {
        var committed = results.Count(r => r.IsCommitted);
        DataTelemetry.BatchSize.Record(results.Length);
        DataTelemetry.Appended.Add(committed);
        if (committed < results.Length)
        {
            DataTelemetry.Refused.Add(results.Length - committed);
        }
    }
}
