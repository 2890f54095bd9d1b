namespace StatusUpdates.Data.Schema;

/// <summary>A result whose content is stored in the database, not behind a provider's link.</summary>
public sealed class GenerationResult
{
    /// <summary>The largest content, in bytes: 4 MiB.</summary>
    public const int MaxBytes = 4 * 1024 * 1024;

    /// <summary>128 random bits as 32 hexadecimal digits: anyone who knows it may read the result.</summary>
    public required string Id { get; init; }

    /// <summary>The generation it was made for.</summary>
    public required string GenerationId { get; init; }

    /// <summary>Its media type (RFC 9110, section 8.3).</summary>
    public required string ContentType { get; init; }

    /// <summary>The content; at most <see cref="MaxBytes"/>.</summary>
    public required byte[] Bytes { get; init; }

    /// <summary>When it was stored.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
}
