using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>Writes a batch by one statement, which is one transaction. Thread-safe.</summary>
internal sealed class BatchWriter(StatusDatabase database)
{
    // Looks with a snapshot of its own: an update that was committed while the append waited for its lock is found as well.
    private const string FindCommittedSql =
        $"""
        SELECT i.ord, {LogSql.EventColumns}
        FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS i (generation_id, update_id, ord)
        JOIN status_events e ON e.generation_id = i.generation_id AND e.update_id = i.update_id
        """;

    /// <summary>Tries once.</summary>
    /// <returns>The outcomes, in the order of the changes.</returns>
    /// <exception cref="NpgsqlException">None was committed, or it is not known; the same batch may be written again.</exception>
    public async Task<AppendResult[]> TryWriteAsync(AppendBatch batch, CancellationToken cancellationToken)
    {
        var results = await TryAppendAsync(batch, cancellationToken);
        await FindCommittedAsync(batch, results, cancellationToken);
        Count(results);
        return results;
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

        await using var command = database.DataSource.CreateCommand(FindCommittedSql);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. refused.Select(i => batch.Changes[i].GenerationId)] });
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. refused.Select(i => batch.Changes[i].UpdateId)] });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            results[refused[reader.GetInt64(0) - 1]] = new AppendResult(EventReader.Read(reader, 1), null, null);
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
