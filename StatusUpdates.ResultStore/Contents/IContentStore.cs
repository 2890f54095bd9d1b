namespace StatusUpdates.ResultStore.Contents;

/// <summary>
/// Where the contents of large results are. A content never changes once it is there; its id is 32 hexadecimal digits. Implementations are
/// thread-safe.
/// </summary>
public interface IContentStore
{
    /// <summary>What kind of store it is, for metrics.</summary>
    string Kind { get; }

    /// <summary>Checks at start whether the store is there. A store that does not answer now passes: it may answer later.</summary>
    /// <exception cref="InvalidOperationException">A setting is wrong; the message names it.</exception>
    Task CheckAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Stores a content: on return it is durable and readable as a whole. A write that fails leaves nothing that can be read, and what it leaves is
    /// removed by <see cref="DeleteAsync"/>.
    /// </summary>
    /// <param name="id">A new id.</param>
    /// <param name="content">Read to its end, once, in pieces. What it throws is passed on.</param>
    /// <param name="cancellationToken">Cancels the write.</param>
    /// <exception cref="ContentStoreException">The store failed.</exception>
    Task WriteAsync(string id, Stream content, CancellationToken cancellationToken);

    /// <summary>Opens a part of a content.</summary>
    /// <param name="id">The content.</param>
    /// <param name="offset">Where the stream begins, in bytes from 0; within the content.</param>
    /// <param name="count">How many bytes are read from the stream at most; it may have more.</param>
    /// <param name="cancellationToken">Cancels the opening.</param>
    /// <returns>Null if there is no such content. Reading from the stream can fail with an <see cref="IOException"/>.</returns>
    /// <exception cref="ContentStoreException">The store failed.</exception>
    Task<Stream?> OpenAsync(string id, long offset, long count, CancellationToken cancellationToken);

    /// <summary>Removes a content, and what an interrupted write of it has left. It is no error if there is none.</summary>
    /// <exception cref="ContentStoreException">The store failed: try again later.</exception>
    Task DeleteAsync(string id, CancellationToken cancellationToken);
}

/// <summary>The store of contents failed. The message is for operators; another attempt may succeed.</summary>
public sealed class ContentStoreException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>A content is larger than allowed.</summary>
/// <param name="maxBytes">How large it may be, in bytes.</param>
public sealed class ContentTooLargeException(long maxBytes) : Exception($"The content has more than the {maxBytes} bytes that are allowed.");
