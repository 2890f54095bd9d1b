namespace StatusUpdates.ResultStore;

/// <summary>A stream that is read asynchronously and never written.</summary>
internal abstract class ReadOnlyStream : Stream
{
    public override bool CanRead => true;

    public override bool CanWrite => false;

    public abstract override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("A result can only be read asynchronously.");

    public override void SetLength(long value) => throw new NotSupportedException("A result is read-only.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("A result is read-only.");
}
