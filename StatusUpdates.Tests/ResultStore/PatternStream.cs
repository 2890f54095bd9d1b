namespace StatusUpdates.Tests.ResultStore;

/// <summary>
/// A content of any length whose bytes follow from their positions, read in pieces of varying size. It can break. It remembers how far it was read, and the
/// largest piece that was asked for.
/// </summary>
internal sealed class PatternStream(long length, long breaksAt = long.MaxValue, Exception? failure = null) : Stream
{
    private const int MaxPiece = 70_000;

    public int LargestRequest { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get; set; }

    /// <summary>The content from a position on.</summary>
    public static byte[] Bytes(long offset, long count)
    {
        var bytes = new byte[count];
        Fill(bytes, offset);
        return bytes;
    }

    public static void Fill(Span<byte> bytes, long offset)
    {
        for (var i = 0; i < bytes.Length; i++)
        {
            // No two windows of a few megabytes are the same.
            var at = (ulong)(offset + i);
            bytes[i] = (byte)((at * 31) ^ (at >> 8) ^ (at >> 16) ^ (at >> 21));
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await Task.Yield();
        cancellationToken.ThrowIfCancellationRequested();
        LargestRequest = Math.Max(LargestRequest, buffer.Length);
        var count = (int)Math.Min(Math.Min(buffer.Length, MaxPiece - (Position % 1000)), Math.Min(length, breaksAt) - Position);
        if (count == 0 && Position < length)
        {
            throw failure ?? new IOException("The stream broke.");
        }

        Fill(buffer.Span[..count], Position);
        Position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("It is read asynchronously.");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
