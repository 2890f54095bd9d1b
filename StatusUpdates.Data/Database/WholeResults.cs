using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>Reads results as a whole.</summary>
public static class WholeResults
{
    /// <summary>Reads the remaining rows of a result, each by the same function.</summary>
    public static async Task<List<T>> ReadAllAsync<T>(
        this NpgsqlDataReader reader, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken = default)
    {
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(read(reader));
        }

        return rows;
    }
}
