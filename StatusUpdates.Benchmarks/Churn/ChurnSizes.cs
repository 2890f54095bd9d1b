using Npgsql;

namespace StatusUpdates.Benchmarks.Churn;

/// <summary>A table at one moment.</summary>
/// <param name="Table">Which.</param>
/// <param name="Bytes">Of its rows.</param>
/// <param name="IndexBytes">Of its indexes.</param>
/// <param name="Rows">How many there are.</param>
/// <param name="Updates">Since the beginning.</param>
/// <param name="HotUpdates">Those that touched no index.</param>
internal sealed record ChurnSizes(string Table, long Bytes, long IndexBytes, long Rows, long Updates, long HotUpdates)
{
    public static IReadOnlyList<string> Tables { get; } = ["generations", "status_events", "user_streams", "generation_counts"];

    public static async Task<IReadOnlyList<ChurnSizes>> ReadAsync(NpgsqlDataSource dataSource, CancellationToken cancellationToken)
    {
        var sizes = new List<ChurnSizes>();
        foreach (var table in Tables)
        {
            await using var command = dataSource.CreateCommand(
                $"""
                SELECT pg_table_size(relid), pg_indexes_size(relid), (SELECT count(*) FROM {table}), n_tup_upd, n_tup_hot_upd
                FROM pg_stat_user_tables WHERE relname = '{table}'
                """);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            await reader.ReadAsync(cancellationToken);
            sizes.Add(new(table, reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4)));
        }

        return sizes;
    }
}
