using StatusUpdates.Data.Results;

namespace StatusUpdates.Api.Results;

/// <summary>
/// The content of a result, read from the database in pieces as large as the reader's buffer, each when it is asked for: a client that takes its time holds one of them, and
/// no connection to the database. Not thread-safe.
/// </summary>
/// <param name="results">Where it is.</param>
/// <param name="id">Which it is.</param>
/// <param name="length">Its length, in bytes.</param>
internal sealed class ResultContent(GenerationResultStore results, string id, int length) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position { get; set; }

    /// <exception cref="IOException">The result was removed meanwhile.</exception>
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
            throw new IOException("The result was removed while it was sent.");
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

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("A result is read asynchronously.");

    public override void SetLength(long value) => throw new NotSupportedException("A result is only read.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("A result is only read.");
}
