using StatusUpdates.ResultStore.Contents;

namespace StatusUpdates.ResultStore;

/// <summary>
/// The content of a result, read on demand from where it is. Not thread-safe. A reader that stops for a while holds no database connection, and no
/// more memory than its own buffer.
/// </summary>
/// <param name="length">The content's length, in bytes.</param>
internal abstract class ResultContent(long length) : ReadOnlyStream
{
    public override bool CanSeek => true;

    public override long Length => length;

    public override long Position { get; set; }

    /// <exception cref="ContentMissingException">The content is gone.</exception>
    /// <exception cref="ContentStoreException">The store failed.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var left = length - Position;
        if (left <= 0 || buffer.Length == 0)
        {
            return 0;
        }

        var read = await ReadAtAsync(Position, buffer[..(int)Math.Min(buffer.Length, left)], cancellationToken);
        Position += read;
        return read;
    }

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => Position + offset,
        _ => length + offset,
    };

    /// <summary>Reads from that position on, at least one byte.</summary>
    protected abstract ValueTask<int> ReadAtAsync(long position, Memory<byte> buffer, CancellationToken cancellationToken);
}

/// <summary>A content in the database, read in pieces of the reader's buffer size.</summary>
internal sealed class RowContent(GenerationResultStore results, string id, int length) : ResultContent(length)
{
    protected override async ValueTask<int> ReadAtAsync(long position, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var piece = await results.ReadPieceAsync(id, (int)position, buffer.Length, cancellationToken);
        if (piece?.Length != buffer.Length)
        {
            throw new ContentMissingException("The result was removed while it was being read.");
        }

        piece.CopyTo(buffer);
        return piece.Length;
    }
}

/// <summary>
/// A content in the store, read in windows: each is a stream of the store's that is opened when the reader gets there. So a slow reader does not
/// keep one request to a bucket open for as long as it reads, and one that has seen enough wastes little. A window that breaks is opened again where
/// it broke.
/// </summary>
internal sealed class StoredContent(IContentStore contents, string id, long length) : ResultContent(length)
{
    /// <summary>The size of a window, in bytes.</summary>
    public const long WindowSize = 8 * 1024 * 1024;

    private const int MaxBreaks = 3;

    // For a store that accepts a request and then says nothing.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly long _length = length;
    private Stream? _window;
    private long _at;
    private long _end;

    protected override async ValueTask<int> ReadAtAsync(long position, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        for (var breaks = 1; ; breaks++)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(Patience);
            try
            {
                var window = await WindowAsync(position, limit.Token);
                var read = await window.ReadAsync(buffer[..(int)Math.Min(buffer.Length, _end - position)], limit.Token);
                if (read > 0)
                {
                    _at += read;
                    return read;
                }

                throw new IOException($"The stored content of the result {id} ends at {position} of {_length} bytes.");
            }
            catch (Exception e) when (e is IOException or ContentStoreException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                await CloseAsync();
                if (breaks == MaxBreaks)
                {
                    throw e as ContentStoreException ?? new ContentStoreException(e.Message, e);
                }
            }
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await CloseAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _window?.Dispose();
            _window = null;
        }

        base.Dispose(disposing);
    }

    private async Task<Stream> WindowAsync(long position, CancellationToken cancellationToken)
    {
        if (_window is not null && _at == position && position < _end)
        {
            return _window;
        }

        await CloseAsync();
        var count = Math.Min(WindowSize, _length - position);
        _window = await contents.OpenAsync(id, position, count, cancellationToken)
            ?? throw new ContentMissingException($"The content of the result {id} is not in its store. API and workers must have the same Results:Folder or Results:S3.");
        (_at, _end) = (position, position + count);
        return _window;
    }

    private async Task CloseAsync()
    {
        if (_window is { } window)
        {
            _window = null;
            await window.DisposeAsync();
        }
    }
}

/// <summary>A result has no content any more: it was just removed, or its store has lost it. The message is for operators.</summary>
public sealed class ContentMissingException(string message) : Exception(message);
