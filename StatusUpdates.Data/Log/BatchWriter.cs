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
        -- find committed
        SELECT i.ord, {LogSql.EventColumns}
        FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS i (generation_id, update_id, ord)
        JOIN status_events e ON e.update_id = i.update_id AND e.generation_id = i.generation_id
        """;

    private const string FindFreeSql =
        """
        -- find unlocked
        SELECT g.id FROM generations g JOIN user_streams s ON s.user_id = g.user_id
        WHERE g.id = ANY ($1)
        FOR NO KEY UPDATE OF g, s SKIP LOCKED
        """;

    /// <summary>Those of the generations that nobody keeps locked now, neither them nor their user's log; what does not exist is not among them.</summary>
    public async Task<IReadOnlySet<string>> FindFreeAsync(IEnumerable<StatusChange> changes, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(FindFreeSql);
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. changes.Select(change => change.GenerationId)] });
        return await database.WriteAsync(
            command,
            static async reader =>
            {
                var free = new HashSet<string>(StringComparer.Ordinal);
                while (await reader.ReadAsync())
                {
                    free.Add(reader.GetString(0));
                }

                return free;
            },
            cancellationToken);
    }

    /// <summary>Tries once.</summary>
    /// <returns>The outcomes, in the order of the changes. What an earlier try has committed is committed, as it was then.</returns>
    /// <exception cref="NpgsqlException">None was committed, or it is not known; the same batch may be written again.</exception>
    /// <exception cref="InvalidOperationException">An update id names an update of another generation.</exception>
    public async Task<AppendResult[]> TryWriteAsync(IReadOnlyList<StatusChange> changes, CancellationToken cancellationToken)
    {
        AppendResult[] results;
        try
        {
            results = await TryAppendAsync(new AppendBatch(changes), cancellationToken);
            await ReplaceAsync(changes, results, result => !result.IsCommitted, cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            // One of them was committed before, and others of its generation followed it: the statement wrote nothing.
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

    private Task<AppendResult[]> TryAppendAsync(AppendBatch batch, CancellationToken cancellationToken) =>
        database.WriteAsync(batch.ToCommand(), batch.ReadResultsAsync, cancellationToken);

    /// <summary>A refusal may be the echo of an earlier try whose answer was lost: then that try's outcome takes its place.</summary>
    /// <returns>How many were replaced.</returns>
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
