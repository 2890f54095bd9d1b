using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>Writes a batch in one statement, which is one transaction. Thread-safe.</summary>
internal sealed class BatchWriter(StatusDatabase database)
{
    // Has a snapshot of its own, and so also finds an update that was committed while the append waited for its lock.
    private const string FindCommittedSql =
        $"""
        -- find committed
        SELECT i.ord, {EventReader.Columns}
        FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS i (generation_id, update_id, ord)
        JOIN status_events e ON e.update_id = i.update_id AND e.generation_id = i.generation_id
        """;

    private const string FindLockedSql =
        """
        -- find locked
        WITH requested AS MATERIALIZED (SELECT id, user_id FROM generations WHERE id = ANY ($1)),
        free AS MATERIALIZED (SELECT g.id FROM generations g WHERE g.id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED),
        free_logs AS MATERIALIZED (
            SELECT s.user_id FROM user_streams s WHERE s.user_id = ANY (ARRAY(SELECT r.user_id FROM requested r)) FOR NO KEY UPDATE SKIP LOCKED
        )
        SELECT r.id, f.id IS NULL, l.user_id IS NULL
        FROM requested r LEFT JOIN free f ON f.id = r.id LEFT JOIN free_logs l ON l.user_id = r.user_id
        """;

    /// <summary>For each existing generation: whether it, or its user's log, is locked by someone else.</summary>
    public async Task<IReadOnlyDictionary<string, (bool Generation, bool Log)>> FindLockedAsync(
        IEnumerable<StatusChange> changes, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(FindLockedSql);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. changes.Select(change => change.GenerationId)] });
        return await database.WriteAsync(
            command,
            static async reader => (await reader.ReadAllAsync(row => (Id: row.GetString(0), Generation: row.GetBoolean(1), Log: row.GetBoolean(2))))
                .ToDictionary(row => row.Id, row => (row.Generation, row.Log), StringComparer.Ordinal),
            cancellationToken);
    }

    /// <summary>Tries once.</summary>
    /// <returns>The outcomes, in the order of the changes. What an earlier try has committed is reported with its original outcome.</returns>
    /// <exception cref="NpgsqlException">Nothing was committed, or the outcome is unknown; the same batch may be written again.</exception>
    /// <exception cref="InvalidOperationException">An update id belongs to an update of another generation.</exception>
    public async Task<AppendResult[]> TryWriteAsync(IReadOnlyList<StatusChange> changes, CancellationToken cancellationToken)
    {
        AppendResult[] results;
        try
        {
            var batch = new AppendBatch(changes);
            results = await database.WriteAsync(batch.ToCommand(), batch.ReadResultsAsync, cancellationToken);
            await ReplaceAsync(changes, results, result => !result.IsCommitted, cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            // One change was committed before, and its generation has later updates: the statement wrote nothing.
            results = new AppendResult[changes.Count];
            if (await ReplaceAsync(changes, results, _ => true, cancellationToken) == 0)
            {
                throw new InvalidOperationException("An update id of this batch names an update of another generation.", e);
            }

            await database.ConfirmAsync(cancellationToken);

            var missing = Enumerable.Range(0, results.Length).Where(i => results[i] is null).ToArray();
            var written = missing.Length == 0 ? [] : await TryWriteAsync([.. missing.Select(i => changes[i])], cancellationToken);
            for (var i = 0; i < missing.Length; i++)
            {
                results[missing[i]] = written[i];
            }

            return results;
        }

        Count(results);
        return results;
    }

    /// <summary>A refusal can be due to an earlier try whose answer was lost: then it is replaced by that try's outcome.</summary>
    /// <returns>How many outcomes were replaced.</returns>
    private async Task<int> ReplaceAsync(
        IReadOnlyList<StatusChange> changes, AppendResult[] results, Func<AppendResult, bool> isInQuestion, CancellationToken cancellationToken)
    {
        var inQuestion = Enumerable.Range(0, results.Length).Where(i => isInQuestion(results[i])).ToArray();
        if (inQuestion.Length == 0)
        {
            return 0;
        }

        await using var command = database.DataSource.CreateCommand(FindCommittedSql);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. inQuestion.Select(i => changes[i].GenerationId)] });
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. inQuestion.Select(i => changes[i].UpdateId)] });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var found = 0;
        for (; await reader.ReadAsync(cancellationToken); found++)
        {
            results[inQuestion[reader.GetInt64(0) - 1]] = new AppendResult(EventReader.Read(reader, 1), null, null);
        }

        return found;
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
