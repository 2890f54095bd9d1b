using Npgsql;
using NpgsqlTypes;

namespace StatusUpdates.Benchmarks.Append;

/// <summary>
/// The least that a durable, numbered update costs: count up the user's row and insert the event, by one statement over raw Npgsql, in
/// tables that have a primary key and nothing else. No generation, no lifecycle, no fencing, no update id that is looked for.
/// </summary>
internal sealed class RawWriter : IAsyncDisposable
{
    private const string CreateSql =
        """
        CREATE TABLE raw_streams (user_id text COLLATE "C" PRIMARY KEY, last_seq bigint NOT NULL);
        CREATE TABLE raw_events (
            user_id text COLLATE "C" NOT NULL, seq bigint NOT NULL, generation_id text COLLATE "C" NOT NULL, type text NOT NULL, status text NOT NULL,
            occurred_at timestamptz NOT NULL, metadata jsonb, update_id uuid NOT NULL, traceparent text, PRIMARY KEY (user_id, seq));
        """;

    private const string AppendSql =
        """
        WITH input AS (
            SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY ord) AS n
            FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[])
                WITH ORDINALITY AS i (user_id, generation_id, update_id, metadata, traceparent, ord)
        ),
        counted AS (
            UPDATE raw_streams s SET last_seq = s.last_seq + c.added
            FROM (SELECT user_id, count(*) AS added FROM input GROUP BY user_id) c
            WHERE s.user_id = c.user_id
            RETURNING s.user_id, s.last_seq - c.added AS before
        )
        INSERT INTO raw_events (user_id, seq, generation_id, type, status, occurred_at, metadata, update_id, traceparent)
        SELECT i.user_id, c.before + i.n, i.generation_id, 'product_card', 'processing', clock_timestamp(), i.metadata::jsonb, i.update_id, i.traceparent
        FROM input i JOIN counted c ON c.user_id = i.user_id
        RETURNING seq
        """;

    private readonly NpgsqlDataSource _dataSource;

    private RawWriter(NpgsqlDataSource dataSource) => _dataSource = dataSource;

    public static async Task<RawWriter> CreateAsync(string connectionString, IEnumerable<string> users, CancellationToken cancellationToken)
    {
        // Prepared statements, as the log's are.
        var writer = new RawWriter(NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString)
        {
            MaxAutoPrepare = 16,
            AutoPrepareMinUsages = 2,
            WriteBufferSize = 64 * 1024,
        }));
        await writer.ExecuteAsync(CreateSql, cancellationToken);
        await using var fill = writer._dataSource.CreateCommand("INSERT INTO raw_streams SELECT u, 0 FROM unnest($1::text[]) u");
        fill.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. users] });
        await fill.ExecuteNonQueryAsync(cancellationToken);
        return writer;
    }

    /// <summary>Appends one update for each of these in one transaction. Two calls at once have users of their own, or may wait for each other.</summary>
    public async Task AppendAsync(IReadOnlyList<(string UserId, string GenerationId)> updates, int progress, CancellationToken cancellationToken)
    {
        await using var command = _dataSource.CreateCommand(AppendSql);
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

    public ValueTask DisposeAsync() => _dataSource.DisposeAsync();

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = _dataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static void Add(NpgsqlCommand command, IEnumerable<string> values) => command.Parameters.Add(
        new NpgsqlParameter<string[]> { TypedValue = [.. values], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text });
}
