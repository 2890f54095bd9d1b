namespace StatusUpdates.Data.Schema;

/// <summary>A result that the system itself stores, not one behind a provider's link.</summary>
public sealed class GenerationResult
{
    /// <summary>The largest content that is stored in the row, in bytes: 256 KiB. Larger ones are in the content store.</summary>
    public const int MaxInlineBytes = 256 * 1024;

    /// <summary>128 random bits as 32 hexadecimal digits: anyone who knows it may read the result.</summary>
    public required string Id { get; init; }

    /// <summary>The generation it was made for.</summary>
    public required string GenerationId { get; init; }

    /// <summary>Its media type (RFC 9110, section 8.3).</summary>
    public required string ContentType { get; init; }

    /// <summary>The length of the content, in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>The content, of at most <see cref="MaxInlineBytes"/>; null if it is in the content store.</summary>
    public byte[]? Bytes { get; init; }

    /// <summary>When it was stored.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>
/// A content in the content store that is to be removed: it was announced before its upload began and no result has taken it over, or its result
/// was deleted.
/// </summary>
public sealed class ContentRemoval
{
    /// <summary>The content's id, which is, or would have been, its result's.</summary>
    public required string Id { get; init; }

    /// <summary>When it may be removed, by the database's clock. Until then an upload may still turn it into a result.</summary>
    public required DateTimeOffset DueAt { get; init; }
}
