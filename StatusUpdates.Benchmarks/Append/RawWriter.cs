using Npgsql;
using NpgsqlTypes;
using StatusUpdates.Benchmarks.Load;

namespace StatusUpdates.Benchmarks.Append;

/// <summary>
/// The minimum cost of a durable, numbered update: increment the user's counter and insert the event, in one statement over raw Npgsql, into
/// tables with the log's columns. No generation, lifecycle, fencing or lock order.
/// </summary>
internal sealed class RawWriter : IAsyncDisposable
{
    private readonly NpgsqlDataSource _dataSource;
    private readonly string _streams;
    private readonly string _events;
    private readonly string _appendSql;
    private readonly string _appendOneSql;

    private RawWriter(NpgsqlDataSource dataSource, string name)
    {
        _dataSource = dataSource;
        (_streams, _events) = ($"{name}_streams", $"{name}_events");
        _appendSql =
            $"""
            WITH input AS (
                SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY ord) AS n
                FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[])
                    WITH ORDINALITY AS i (user_id, generation_id, update_id, metadata, traceparent, ord)
            ),
            counted AS (
                UPDATE {_streams} s SET last_seq = s.last_seq + c.added
                FROM (SELECT user_id, count(*) AS added FROM input GROUP BY user_id) c
                WHERE s.user_id = c.user_id
                RETURNING s.user_id, s.last_seq - c.added AS before
            )
            INSERT INTO {_events} (user_id, seq, generation_id, type, status, occurred_at, metadata, update_id, traceparent)
            SELECT i.user_id, c.before + i.n, i.generation_id, 'product_card', 'processing', clock_timestamp(), i.metadata::jsonb, i.update_id, i.traceparent
            FROM input i JOIN counted c ON c.user_id = i.user_id
            RETURNING seq
            """;
        _appendOneSql =
            $"""
            WITH counted AS (UPDATE {_streams} SET last_seq = last_seq + 1 WHERE user_id = $1 RETURNING last_seq)
            INSERT INTO {_events} (user_id, seq, generation_id, type, status, occurred_at, metadata, update_id, traceparent)
            SELECT $1, last_seq, $2, 'product_card', 'processing', clock_timestamp(), $4::jsonb, $3, $5 FROM counted
            RETURNING seq
            """;
    }

    /// <summary>Creates the tables.</summary>
    /// <param name="connectionString">The database.</param>
    /// <param name="name">Prefix of the table names.</param>
    /// <param name="withIndexes">Whether to add the log's other indexes to the primary key: a generation's updates, and unique update ids.</param>
    /// <param name="users">The users of all later updates.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<RawWriter> CreateAsync(
        string connectionString, string name, bool withIndexes, IEnumerable<string> users, CancellationToken cancellationToken)
    {
        // Prepared statements with generic plans, like the log's.
        var writer = new RawWriter(
            NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString)
            {
                MaxAutoPrepare = 16,
                AutoPrepareMinUsages = 2,
                WriteBufferSize = 64 * 1024,
                Options = "-c plan_cache_mode=force_generic_plan",
            }),
            name);
        await writer.ExecuteAsync(writer.CreateSql(withIndexes), cancellationToken);
        await using var fill = writer._dataSource.CreateCommand($"INSERT INTO {writer._streams} SELECT u, 0 FROM unnest($1::text[]) u");
        fill.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. users] });
        await fill.ExecuteNonQueryAsync(cancellationToken);
        return writer;
    }

    /// <summary>Appends one update for each entry, in one transaction. Concurrent calls should not share users, or they wait for each other.</summary>
    public async Task AppendAsync(IReadOnlyList<(string UserId, string GenerationId)> updates, int progress, CancellationToken cancellationToken)
    {
        await using var command = _dataSource.CreateCommand(_appendSql);
        Add(command, updates.Select(update => update.UserId));
        Add(command, updates.Select(update => update.GenerationId));
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. updates.Select(_ => Guid.CreateVersion7())] });
        Add(command, updates.Select(_ => $$"""{"progress":{{progress}},"attempt":1}"""));
        Add(command, updates.Select(_ => TraceParent.New()));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var rows = 0;
        while (await reader.ReadAsync(cancellationToken))
        {
            rows += reader.GetInt64(0) > 0 ? 1 : 0;
        }

        if (rows != updates.Count)
        {
            throw new BenchmarkFailedException($"The floor wrote {rows} of {updates.Count} updates.");
        }
    }

    /// <summary>Like <see cref="AppendAsync"/>, but with one statement per update, all in one message and transaction (Npgsql's batching).</summary>
    public async Task AppendEachAsync(IReadOnlyList<(string UserId, string GenerationId)> updates, int progress, CancellationToken cancellationToken)
    {
        await using var batch = _dataSource.CreateBatch();
        foreach (var (userId, generationId) in updates)
        {
            var command = new NpgsqlBatchCommand(_appendOneSql);
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = userId });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = generationId });
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = Guid.CreateVersion7() });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = $$"""{"progress":{{progress}},"attempt":1}""" });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = TraceParent.New() });
            batch.BatchCommands.Add(command);
        }

        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        var rows = 0;
        do
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                rows += reader.GetInt64(0) > 0 ? 1 : 0;
            }
        }
        while (await reader.NextResultAsync(cancellationToken));

        if (rows != updates.Count)
        {
            throw new BenchmarkFailedException($"Npgsql's batch wrote {rows} of {updates.Count} updates.");
        }
    }

    public ValueTask DisposeAsync() => _dataSource.DisposeAsync();

    private string CreateSql(bool withIndexes)
    {
        var tables =
            $"""
            CREATE TABLE {_streams} (user_id text COLLATE "C" PRIMARY KEY, last_seq bigint NOT NULL);
            CREATE TABLE {_events} (
                user_id text COLLATE "C" NOT NULL, seq bigint NOT NULL, generation_id text COLLATE "C" NOT NULL, type text NOT NULL,
                status text NOT NULL, occurred_at timestamptz NOT NULL, metadata jsonb, update_id uuid NOT NULL, traceparent text,
                PRIMARY KEY (user_id, seq));
            """;
        return withIndexes
            ? tables + $"CREATE INDEX ON {_events} (generation_id, seq); CREATE UNIQUE INDEX ON {_events} (update_id);"
            : tables;
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = _dataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static void Add(NpgsqlCommand command, IEnumerable<string> values) => command.Parameters.Add(
        new NpgsqlParameter<string[]> { TypedValue = [.. values], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text });
}
