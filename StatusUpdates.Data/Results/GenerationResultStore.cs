using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Data.Results;

/// <summary>A stored result: its media type and content.</summary>
public sealed record StoredResult(string ContentType, byte[] Bytes);

/// <summary>A stored result without its content.</summary>
/// <param name="ContentType">Its media type.</param>
/// <param name="Length">The length of its content, in bytes.</param>
public sealed record ResultDescription(string ContentType, int Length);

/// <summary>Stores what providers render. Thread-safe.</summary>
public sealed class GenerationResultStore(StatusDatabase database)
{
    /// <summary>Stores a result under a new random id.</summary>
    /// <returns>The id: 32 hexadecimal digits.</returns>
    /// <exception cref="ArgumentException">More than <see cref="GenerationResult.MaxBytes"/>.</exception>
    /// <exception cref="NpgsqlException">The database was away longer than <see cref="StatusDatabaseOptions.RetryFor"/>.</exception>
    public async Task<string> SaveAsync(
        string generationId, string contentType, byte[] bytes, CancellationToken cancellationToken = default)
    {
        if (bytes.Length > GenerationResult.MaxBytes)
        {
            throw new ArgumentException($"A result has at most {GenerationResult.MaxBytes} bytes; this one has {bytes.Length}.", nameof(bytes));
        }

        var id = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16));
        await database.RetryAsync(
            token =>
            {
                var command = new NpgsqlCommand(
                    """
                    -- store result
                    INSERT INTO generation_results (id, generation_id, content_type, bytes, created_at)
                    VALUES ($1, $2, $3, $4, clock_timestamp()) ON CONFLICT (id) DO NOTHING
                    """);
                command.Parameters.AddWithValue(id);
                command.Parameters.AddWithValue(generationId);
                command.Parameters.AddWithValue(contentType);
                command.Parameters.AddWithValue(bytes);
                return database.WriteAsync(command, token);
            },
            cancellationToken);
        return id;
    }

    /// <summary>The description of the result with that id, or null. The content is not read.</summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public Task<ResultDescription?> DescribeAsync(string id, CancellationToken cancellationToken = default) => StatusDatabase.ReadAsync(
        async token =>
        {
            await using var command = database.DataSource.CreateCommand(
                "-- describe result\nSELECT content_type, octet_length(bytes) FROM generation_results WHERE id = $1");
            command.Parameters.AddWithValue(id);
            await using var reader = await command.ExecuteReaderAsync(token);
            return await reader.ReadAsync(token) ? new ResultDescription(reader.GetString(0), reader.GetInt32(1)) : null;
        },
        cancellationToken);

    /// <summary>A piece of the result's content, or null if the result is gone. Content never changes, so pieces fit together.</summary>
    /// <param name="id">The result.</param>
    /// <param name="offset">The start of the piece, in bytes from 0.</param>
    /// <param name="count">The number of bytes; at the end of the content there are fewer.</param>
    /// <param name="cancellationToken">Cancels the read.</param>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public Task<byte[]?> ReadPieceAsync(string id, int offset, int count, CancellationToken cancellationToken = default) => StatusDatabase.ReadAsync(
        async token =>
        {
            await using var command = database.DataSource.CreateCommand(
                "-- read result piece\nSELECT substring(bytes FROM $2 FOR $3) FROM generation_results WHERE id = $1");
            command.Parameters.AddWithValue(id);
            command.Parameters.AddWithValue(offset + 1);
            command.Parameters.AddWithValue(count);
            return (byte[]?)await command.ExecuteScalarAsync(token);
        },
        cancellationToken);

    /// <summary>The result with that id, or null.</summary>
    public async Task<StoredResult?> FindAsync(string id, CancellationToken cancellationToken = default)
    {
        await using var command = database.DataSource.CreateCommand("-- read result\nSELECT content_type, bytes FROM generation_results WHERE id = $1");
        command.Parameters.AddWithValue(id);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new StoredResult(reader.GetString(0), reader.GetFieldValue<byte[]>(1))
            : null;
    }
}
