namespace StatusUpdates.ResultStore;

/// <summary>A content as it is stored: what was read of it before, then the rest, and no more than is allowed. Read once. Not thread-safe.</summary>
/// <param name="head">What was read before.</param>
/// <param name="rest">The rest; not disposed of.</param>
/// <param name="maxBytes">How long it may be, in bytes.</param>
internal sealed class UploadedContent(ReadOnlyMemory<byte> head, Stream rest, long maxBytes) : ReadOnlyStream
{
    private ReadOnlyMemory<byte> _head = head;

    /// <summary>How many bytes have been read.</summary>
    public long Count { get; private set; }

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException("The length is known at the end.");

    public override long Position
    {
        get => Count;
        set => throw new NotSupportedException("The content is read once.");
    }

    /// <exception cref="Contents.ContentTooLargeException">There is more than allowed.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = Math.Min(buffer.Length, _head.Length);
        if (count > 0)
        {
            _head[..count].CopyTo(buffer);
            _head = _head[count..];
        }
        else
        {
            count = await rest.ReadAsync(buffer, cancellationToken);
        }

        Count += count;
        return Count <= maxBytes ? count : throw new Contents.ContentTooLargeException(maxBytes);
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("The content is read once.");
}
