using System.Buffers;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;
using StatusUpdates.ResultStore.Contents;

namespace StatusUpdates.ResultStore;

/// <summary>A stored result without its content.</summary>
/// <param name="Id">The result.</param>
/// <param name="ContentType">Its media type.</param>
/// <param name="Length">The length of its content, in bytes.</param>
/// <param name="IsInRow">Whether the content is in the database, and not in the content store.</param>
public sealed record ResultDescription(string Id, string ContentType, long Length, bool IsInRow);

/// <summary>Repeats a statement while the database is unavailable.</summary>
/// <param name="statement">The statement, which may be executed several times; returns how many rows it has written.</param>
public delegate Task<int> StatementRepetition(Func<Task<int>> statement);

/// <summary>
/// Stores what providers render, and reads it. Contents up to <see cref="GenerationResult.MaxInlineBytes"/> are in the result's row, larger ones in
/// the <see cref="IContentStore"/>. Thread-safe.
/// </summary>
/// <remarks>
/// A row never exists without its content: the content is stored first. It is announced before, by a row of <see cref="ContentRemoval"/>, which the
/// statement that writes the result's row takes away: whatever dies in between leaves that row, and the content is removed when it is due.
/// </remarks>
public sealed class GenerationResultStore(StatusDatabase database, IContentStore contents, IOptions<ResultsOptions> options)
{
    // A result is written at least an hour before its content may be removed: much longer than a statement can take.
    private const string InsertStoredSql =
        """
        -- store result
        WITH announced AS (
            DELETE FROM content_removals WHERE id = $1 AND due_at > now() + interval '1 hour' RETURNING id
        ),
        stored AS (
            INSERT INTO generation_results (id, generation_id, content_type, size, created_at)
            SELECT id, $2, $3, $4, clock_timestamp() FROM announced
            RETURNING id
        )
        SELECT ((SELECT count(*) FROM stored) + (SELECT count(*) FROM generation_results WHERE id = $1))::int
        """;

    /// <summary>Stores a result under a new random id.</summary>
    /// <returns>The id: 32 hexadecimal digits.</returns>
    /// <exception cref="ContentTooLargeException">More than <see cref="ResultsOptions.MaxBytes"/>.</exception>
    /// <exception cref="ContentStoreException">The content store failed; nothing of the result can be read.</exception>
    /// <exception cref="NpgsqlException">The database was away longer than <see cref="StatusDatabaseOptions.RetryFor"/>.</exception>
    public async Task<string> SaveAsync(
        string generationId, string contentType, byte[] bytes, CancellationToken cancellationToken = default)
    {
        await using var content = new MemoryStream(bytes, writable: false);
        return await SaveAsync(generationId, contentType, content, null, cancellationToken);
    }

    /// <summary>Stores a result under a new random id. At most a small part of it is in memory at any time.</summary>
    /// <param name="generationId">The generation it was made for.</param>
    /// <param name="contentType">Its media type.</param>
    /// <param name="content">Its content: read once, to the end. What it throws is passed on; then nothing of the result can be read.</param>
    /// <param name="repetition">How statements are repeated; without it, once more for each short failure. The content is not read again.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    /// <returns>The id: 32 hexadecimal digits.</returns>
    /// <exception cref="ContentTooLargeException">More than <see cref="ResultsOptions.MaxBytes"/>.</exception>
    /// <exception cref="ContentStoreException">The content store failed; nothing of the result can be read.</exception>
    /// <exception cref="NpgsqlException">The database was away longer than <see cref="StatusDatabaseOptions.RetryFor"/>.</exception>
    public async Task<string> SaveAsync(
        string generationId,
        string contentType,
        Stream content,
        StatementRepetition? repetition = null,
        CancellationToken cancellationToken = default)
    {
        repetition ??= static statement => statement();
        const int MaxHead = GenerationResult.MaxInlineBytes + 1;
        var buffer = ArrayPool<byte>.Shared.Rent(MaxHead);
        try
        {
            var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
            var read = await content.ReadAtLeastAsync(buffer.AsMemory(0, MaxHead), MaxHead, throwOnEndOfStream: false, cancellationToken);
            if (read < MaxHead)
            {
                // A copy, because a statement goes on with it when nobody waits any more.
                var bytes = buffer.AsSpan(0, read).ToArray();
                await repetition(() => InsertAsync(id, generationId, contentType, bytes, cancellationToken));
                ResultTelemetry.Stored("row", read);
                return id;
            }

            await repetition(() => AnnounceAsync(id, cancellationToken));
            var upload = new UploadedContent(buffer.AsMemory(0, read), content, options.Value.MaxBytes);
            await contents.WriteAsync(id, upload, cancellationToken);
            if (await repetition(() => InsertStoredAsync(id, generationId, contentType, upload.Count, cancellationToken)) == 0)
            {
                await contents.DeleteAsync(id, cancellationToken);
                throw new ContentStoreException($"The upload of a result of {upload.Count} bytes took so long that its content was given up.");
            }

            ResultTelemetry.Stored(contents.Kind, upload.Count);
            return id;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The description of the result with that id, or null. The content is not read.</summary>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public Task<ResultDescription?> DescribeAsync(string id, CancellationToken cancellationToken = default) => StatusDatabase.ReadAsync(
        async token =>
        {
            await using var command = database.DataSource.CreateCommand(
                "-- describe result\nSELECT content_type, size, bytes IS NOT NULL FROM generation_results WHERE id = $1");
            command.Parameters.AddWithValue(id);
            await using var reader = await command.ExecuteReaderAsync(token);
            return await reader.ReadAsync(token) ? new ResultDescription(id, reader.GetString(0), reader.GetInt64(1), reader.GetBoolean(2)) : null;
        },
        cancellationToken);

    /// <summary>
    /// The content of a result, as a stream that can seek. Nothing is opened before the first read. A read throws
    /// <see cref="ContentMissingException"/> or <see cref="ContentStoreException"/> if the content cannot be read.
    /// </summary>
    public Stream OpenRead(ResultDescription result) =>
        result.IsInRow ? new RowContent(this, result.Id, (int)result.Length) : new StoredContent(contents, result.Id, result.Length);

    /// <summary>A piece of a content in the database, or null if the result is gone. Content never changes, so pieces fit together.</summary>
    internal Task<byte[]?> ReadPieceAsync(string id, int offset, int count, CancellationToken cancellationToken) => StatusDatabase.ReadAsync(
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

    private Task<int> InsertAsync(string id, string generationId, string contentType, byte[] bytes, CancellationToken cancellationToken) => database.RetryAsync(
        token =>
        {
            var command = new NpgsqlCommand(
                """
                -- store result
                INSERT INTO generation_results (id, generation_id, content_type, size, bytes, created_at)
                VALUES ($1, $2, $3, octet_length($4), $4, clock_timestamp()) ON CONFLICT (id) DO NOTHING
                """);
            command.Parameters.AddWithValue(id);
            command.Parameters.AddWithValue(generationId);
            command.Parameters.AddWithValue(contentType);
            command.Parameters.AddWithValue(bytes);
            return database.WriteAsync(command, token);
        },
        cancellationToken);

    private Task<int> AnnounceAsync(string id, CancellationToken cancellationToken) => database.RetryAsync(
        token =>
        {
            var command = new NpgsqlCommand(
                "-- announce content\nINSERT INTO content_removals (id, due_at) VALUES ($1, now() + interval '1 day') ON CONFLICT (id) DO NOTHING");
            command.Parameters.AddWithValue(id);
            return database.WriteAsync(command, token);
        },
        cancellationToken);

    private Task<int> InsertStoredAsync(string id, string generationId, string contentType, long size, CancellationToken cancellationToken) => database.RetryAsync(
        token =>
        {
            var command = new NpgsqlCommand(InsertStoredSql);
            command.Parameters.AddWithValue(id);
            command.Parameters.AddWithValue(generationId);
            command.Parameters.AddWithValue(contentType);
            command.Parameters.AddWithValue(size);
            return database.WriteAsync(
                command,
                static async reader => await reader.ReadAsync(CancellationToken.None) ? reader.GetInt32(0) : 0,
                token);
        },
        cancellationToken);
}
