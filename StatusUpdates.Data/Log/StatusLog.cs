using System.Diagnostics;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>
/// The log of status updates: append to it, read after a cursor. Appends that are reported as committed are durable; readers see nothing
/// else. With a publisher, committed updates are announced. Thread-safe; one instance serves a process.
/// </summary>
public sealed class StatusLog : IAsyncDisposable
{
    /// <summary>How many heads one statement reads.</summary>
    internal const int BoundsChunk = 1000;

    private const string ReadAfterSql =
        $"""
        -- read log
        SELECT {EventReader.BoundsColumns}, {EventReader.Columns}
        FROM user_streams s
        CROSS JOIN (VALUES ($2::bigint)) c (seq)
        LEFT JOIN status_events a ON a.user_id = s.user_id AND a.seq = c.seq
        LEFT JOIN LATERAL (SELECT * FROM status_events WHERE user_id = s.user_id AND seq > $2 ORDER BY seq LIMIT $3) e ON true
        WHERE s.user_id = $1
        ORDER BY e.seq
        """;

    private const string ReadHistorySql =
        $"""
        -- read history
        SELECT s.oldest_seq, g.first_seq, {LogSql.CursorCheck}, {EventReader.Columns}
        FROM generations g
        JOIN user_streams s ON s.user_id = g.user_id
        CROSS JOIN (VALUES ($3::bigint)) c (seq)
        LEFT JOIN status_events a ON a.user_id = g.user_id AND a.seq = c.seq
        LEFT JOIN LATERAL (SELECT * FROM status_events WHERE generation_id = g.id AND seq > $3 ORDER BY seq LIMIT $4) e ON true
        WHERE g.id = $2 AND g.user_id = $1
        ORDER BY e.seq
        """;

    private readonly StatusDatabase _database;
    private readonly StatusPublisher? _publisher;
    private readonly BatchWriter _writer;
    private readonly CommitLane[] _lanes;

    /// <summary>Creates the log; does not connect yet.</summary>
    /// <param name="database">The database.</param>
    /// <param name="options">How appends share transactions.</param>
    /// <param name="publisher">Announces committed updates, in commit order; without it they are not announced.</param>
    public StatusLog(StatusDatabase database, StatusLogOptions? options = null, StatusPublisher? publisher = null)
    {
        options ??= new StatusLogOptions();
        _database = database;
        _publisher = publisher;
        _writer = new BatchWriter(database);
        _lanes = [.. Enumerable.Range(0, options.Lanes).Select(_ => new CommitLane(database, _writer, options.MaxBatch, publisher))];
    }

    /// <summary>
    /// Appends one change. Callers share transactions: changes that arrive in a lane (<see cref="StatusLogOptions.Lanes"/>, by hash of the user)
    /// while its transaction is in progress share the next one. Each has its own outcome.
    /// </summary>
    /// <param name="change">The change.</param>
    /// <param name="cancellationToken">Stops waiting; the change may still be committed.</param>
    /// <returns>Committed with its seq, or refused with the reason.</returns>
    /// <exception cref="ArgumentException">An id that the database cannot store.</exception>
    /// <exception cref="NpgsqlException">The database did not answer within <see cref="StatusDatabaseOptions.RetryFor"/>; the outcome is unknown,
    /// and the same change (same <see cref="StatusChange.UpdateId"/>) may safely be appended again.</exception>
    public async Task<AppendResult> AppendAsync(StatusChange change, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Check(change);
        var append = new PendingAppend(change, _database.Time.GetTimestamp());
        LaneOf(change).Enqueue(append);
        await using (cancellationToken.UnsafeRegister(static (a, token) => ((PendingAppend)a!).TrySetCanceled(token), append))
        {
            return await append.Task;
        }
    }

    /// <summary>Appends several changes in one transaction; each has its own outcome. Those of one user are numbered in this order.</summary>
    /// <param name="changes">At most one per generation.</param>
    /// <param name="cancellationToken">Stops waiting; the changes may still be committed.</param>
    /// <returns>The outcomes, in the order of the changes.</returns>
    /// <exception cref="ArgumentException">Two changes of one generation, or an id that the database cannot store.</exception>
    /// <exception cref="NpgsqlException">As for a single change; all of them are committed, or none.</exception>
    public async Task<IReadOnlyList<AppendResult>> AppendAsync(
        IReadOnlyList<StatusChange> changes, CancellationToken cancellationToken = default)
    {
        if (changes.Count == 0)
        {
            return [];
        }

        if (changes.DistinctBy(c => c.GenerationId, StringComparer.Ordinal).Count() != changes.Count)
        {
            throw new ArgumentException("A batch may contain at most one change of each generation.", nameof(changes));
        }

        foreach (var change in changes)
        {
            Check(change);
        }

        var results = await _database.RetryAsync(token => _writer.TryWriteAsync(changes, token), cancellationToken);
        if (_publisher is not null)
        {
            await _publisher.TryPublishAsync([.. results.Select(result => result.Update).OfType<StatusUpdate>()]);
        }

        return results;
    }

    /// <summary>Reads the updates after a cursor, with the log's bounds from the same snapshot.</summary>
    /// <param name="userId">The owner of the log.</param>
    /// <param name="cursor">The last position already seen; 0 for none.</param>
    /// <param name="limit">The maximum number; 0 for only the bounds and the check of the entry at the cursor.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    /// <returns>A page; check <see cref="LogBounds.Covers"/> before using its items.</returns>
    public Task<LogPage> ReadAfterAsync(string userId, long cursor, int limit, CancellationToken cancellationToken = default) =>
        StatusDatabase.ReadAsync(token => TryReadAfterAsync(userId, cursor, limit, token), cancellationToken);

    /// <summary>The bounds of one user's log; <see cref="LogBounds.Empty"/> if it was never written to.</summary>
    public async Task<LogBounds> ReadBoundsAsync(string userId, CancellationToken cancellationToken = default) =>
        (await ReadBoundsAsync([userId], cancellationToken)).GetValueOrDefault(userId, LogBounds.Empty);

    /// <summary>The bounds of many logs, by primary key, in statements of at most 1,000 users; users without a log are omitted.</summary>
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

    /// <summary>Reads one generation's updates after a cursor; a cursor of another log is treated as the beginning.</summary>
    /// <returns>A page; null if this user has no such generation.</returns>
    public Task<GenerationHistory?> ReadHistoryAsync(
        string userId, string generationId, LogPosition since, int limit, CancellationToken cancellationToken = default) =>
        StatusDatabase.ReadAsync(token => TryReadHistoryAsync(userId, generationId, since, limit, token), cancellationToken);

    /// <summary>Waits until Redis has received what was committed, or the publisher has given up.</summary>
    public async ValueTask DisposeAsync() => await Task.WhenAll(_lanes.Select(lane => lane.Announced));

    private async Task<LogPage> TryReadAfterAsync(string userId, long cursor, int limit, CancellationToken cancellationToken)
    {
        // Within a request, Npgsql records the span.
        var startedAt = Activity.Current is null ? _database.Spans.Begin() : null;
        await using var command = _database.DataSource.CreateCommand(ReadAfterSql);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = userId });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = cursor });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var bounds = LogBounds.Empty;
        uint? check = null;
        var items = new List<StatusUpdate>();
        while (await reader.ReadAsync(cancellationToken))
        {
            (bounds, check) = EventReader.ReadBounds(reader, cursor);
            if (!reader.IsDBNull(EventReader.BoundsCount))
            {
                items.Add(EventReader.Read(reader, EventReader.BoundsCount));
            }
        }

        if (startedAt is not null && items.Count > 0)
        {
            using var span = _database.Spans.RecordMany("read log", items.Select(item => item.TraceParent), startedAt);
            span?.SetTag("statusupdates.updates", items.Count);
        }

        return new LogPage(bounds, new LogPosition(cursor, check), items);
    }

    private async Task<int> TryReadBoundsAsync(string[] userIds, Dictionary<string, LogBounds> bounds, CancellationToken cancellationToken)
    {
        await using var command = _database.DataSource.CreateCommand(
            "-- read heads\nSELECT user_id, oldest_seq, last_seq, last_check FROM user_streams WHERE user_id = ANY ($1)");
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = userIds });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            bounds[reader.GetString(0)] = new LogBounds(reader.GetInt64(1), reader.GetInt64(2), EventReader.ReadCheck(reader, 3));
        }

        return bounds.Count;
    }

    private async Task<GenerationHistory?> TryReadHistoryAsync(
        string userId, string generationId, LogPosition since, int limit, CancellationToken cancellationToken)
    {
        await using var command = _database.DataSource.CreateCommand(ReadHistorySql);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = userId });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = generationId });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = since.Seq });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        List<StatusUpdate>? items = null;
        var complete = true;
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                if (!since.Agrees(new(since.Seq, EventReader.ReadCheck(reader, 2))))
                {
                    items = null;
                    break;
                }

                items ??= [];
                complete = Math.Max(reader.GetInt64(1), since.Seq + 1) >= reader.GetInt64(0);
                if (!reader.IsDBNull(3))
                {
                    items.Add(EventReader.Read(reader, 3));
                }
            }

            if (items is not null || !reader.HasRows)
            {
                return items is null ? null : new GenerationHistory(items, complete);
            }
        }

        return await TryReadHistoryAsync(userId, generationId, default, limit, cancellationToken);
    }

    private static void Check(StatusChange change)
    {
        if (!ProviderText.IsClean(change.GenerationId))
        {
            throw new ArgumentException("A generation's id must not contain U+0000 or a lone surrogate.", nameof(change));
        }
    }

    private CommitLane LaneOf(StatusChange change) =>
        _lanes[(uint)string.GetHashCode(change.UserId ?? change.GenerationId, StringComparison.Ordinal) % (uint)_lanes.Length];
}
