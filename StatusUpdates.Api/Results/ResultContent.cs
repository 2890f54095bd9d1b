using StatusUpdates.Data.Results;

namespace StatusUpdates.Api.Results;

/// <summary>
/// The content of a result, read from the database on demand, in pieces of the reader's buffer size: a slow client holds one piece in memory,
/// and no database connection. Not thread-safe.
/// </summary>
/// <param name="results">The store of results.</param>
/// <param name="id">The result's id.</param>
/// <param name="length">The result's length, in bytes.</param>
internal sealed class ResultContent(GenerationResultStore results, string id, int length) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position { get; set; }

    /// <exception cref="IOException">The result was removed in the meantime.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = (int)Math.Min(buffer.Length, length - Position);
        if (count <= 0)
        {
            return 0;
        }

        var piece = await results.ReadPieceAsync(id, (int)Position, count, cancellationToken);
        if (piece?.Length != count)
        {
            throw new IOException("The result was removed while it was being sent.");
        }

        piece.CopyTo(buffer);
        Position += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => Position + offset,
        _ => length + offset,
    };

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("A result can only be read asynchronously.");

    public override void SetLength(long value) => throw new NotSupportedException("A result is read-only.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("A result is read-only.");
}
