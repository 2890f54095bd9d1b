using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.ResultStore.Contents;

namespace StatusUpdates.ResultStore;

/// <summary>
/// Removes contents that belong to no result: of deleted results, and of uploads that never became one. Which they are is in the database, so
/// nothing is listed in the store, and nothing is removed there that this database does not know. A content that cannot be removed stays due.
/// Thread-safe; several removals of the same content do no harm.
/// </summary>
public sealed partial class ContentRemovals(StatusDatabase database, IContentStore contents, ILogger<ContentRemovals> logger)
{
    private const int Parallelism = 8;

    private const string FindSql =
        """
        -- find contents to remove
        SELECT id, due_at FROM content_removals
        WHERE due_at <= now() AND (due_at, id) > ($1, $2)
        ORDER BY due_at, id LIMIT $3
        """;

    /// <summary>Removes the next contents that are due.</summary>
    /// <param name="after">Where the last call ended.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Stops it; the rest stays due.</param>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<RemovedContents> RemoveAsync(RemovalPosition after, int limit, CancellationToken cancellationToken)
    {
        var due = await FindAsync(after, limit, cancellationToken);
        if (due.Count == 0)
        {
            return new RemovedContents(0, 0, after, IsLast: true);
        }

        var removed = new ConcurrentBag<string>();
        var failures = new ConcurrentBag<ContentStoreException>();
        await Parallel.ForEachAsync(
            due,
            new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken },
            async (content, token) =>
            {
                // A store in which nothing can be removed is away: each further try could take as long as its time-out.
                if (removed.IsEmpty && failures.Count >= Parallelism)
                {
                    return;
                }

                try
                {
                    await contents.DeleteAsync(content.Id, token);
                    removed.Add(content.Id);
                }
                catch (ContentStoreException e)
                {
                    failures.Add(e);
                }
            });
        if (!removed.IsEmpty)
        {
            await ForgetAsync([.. removed], cancellationToken);
        }

        ResultTelemetry.Removed(removed.Count, failures.Count);
        if (failures.TryPeek(out var failure))
        {
            LogFailed(failures.Count, due.Count, failure.Message);
        }

        return new RemovedContents(removed.Count, failures.Count, due[^1], IsLast: due.Count < limit || removed.IsEmpty);
    }

    private async Task<List<RemovalPosition>> FindAsync(RemovalPosition after, int limit, CancellationToken cancellationToken)
    {
        await using var command = database.DataSource.CreateCommand(FindSql);
        command.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = after.DueAt });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = after.Id });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAllAsync(row => new RemovalPosition(row.GetFieldValue<DateTimeOffset>(1), row.GetString(0)), cancellationToken);
    }

    private Task<int> ForgetAsync(string[] ids, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand("-- forget contents\nDELETE FROM content_removals WHERE id = ANY ($1)");
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = ids });
        return database.WriteAsync(command, cancellationToken);
    }

    [LoggerMessage(2502, LogLevel.Warning, "{Failed} of {Count} contents of deleted results could not be removed, and will be tried again: {Reason}")]
    private partial void LogFailed(int failed, int count, string reason);
}

/// <summary>A place in the order of removal.</summary>
/// <param name="DueAt">When the content was due.</param>
/// <param name="Id">The content.</param>
public readonly record struct RemovalPosition(DateTimeOffset DueAt, string Id)
{
    /// <summary>Before all others.</summary>
    public static RemovalPosition Start { get; } = new(DateTimeOffset.UnixEpoch, "");
}

/// <summary>What a call removed.</summary>
/// <param name="Removed">How many contents.</param>
/// <param name="Failed">How many could not be removed.</param>
/// <param name="Last">Where it ended.</param>
/// <param name="IsLast">Whether there are no more to try now.</param>
public sealed record RemovedContents(int Removed, int Failed, RemovalPosition Last, bool IsLast);
