using Npgsql;

namespace StatusUpdates.Benchmarks.Churn;

/// <summary>A table's sizes at one moment.</summary>
/// <param name="Table">The table's name.</param>
/// <param name="Bytes">Size without indexes.</param>
/// <param name="IndexBytes">Size of its indexes.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Updates">Row updates since the start.</param>
/// <param name="HotUpdates">Row updates that touched no index.</param>
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
