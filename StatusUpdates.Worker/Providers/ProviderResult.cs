namespace StatusUpdates.Worker.Providers;

/// <summary>What a provider created.</summary>
/// <param name="Outputs">The results, in the order the user sees them.</param>
/// <param name="TokensUsed">What it cost, in tokens.</param>
public sealed record ProviderResult(IReadOnlyList<ProviderOutput> Outputs, long TokensUsed);

/// <summary>One result: content, or an address where it is.</summary>
public abstract record ProviderOutput;

/// <summary>A result that the system stores and serves.</summary>
/// <param name="ContentType">Its media type (RFC 9110, section 8.3.1).</param>
/// <param name="Bytes">Its content; at most <c>Results:MaxBytes</c>. For more than some megabytes use <see cref="ProviderStream"/>.</param>
public sealed record ProviderContent(string ContentType, byte[] Bytes) : ProviderOutput;

/// <summary>A result that the system stores and serves, read as a stream that is never in memory as a whole.</summary>
/// <param name="ContentType">Its media type (RFC 9110, section 8.3.1).</param>
/// <param name="OpenAsync">
/// Opens the content, which is read to its end and disposed of; at most <c>Results:MaxBytes</c>. It is called again, up to twice, if the stream breaks
/// with an <see cref="IOException"/> or an <see cref="HttpRequestException"/>.
/// </param>
public sealed record ProviderStream(string ContentType, Func<CancellationToken, Task<Stream>> OpenAsync) : ProviderOutput;

/// <summary>
/// A result at an address that will stop working: the worker copies it, and the system serves the copy. The address is called as a stranger's: over
/// the public internet or <c>Results:AllowedNetworks</c>, without credentials, following a few redirects, for at most ten minutes.
/// </summary>
/// <param name="Url">An absolute http or https address.</param>
/// <param name="ExpiresAt">When it stops working; null if that is not known.</param>
public sealed record ProviderDownload(Uri Url, DateTimeOffset? ExpiresAt = null) : ProviderOutput
{
    /// <summary>The result's media type, if the server at the address is not to be asked for it: some only say <c>application/octet-stream</c>.</summary>
    public string? ContentType { get; init; }
}

/// <summary>A result that is served elsewhere, for as long as anyone may want it.</summary>
/// <param name="Url">An absolute http or https address.</param>
public sealed record ProviderLink(Uri Url) : ProviderOutput;
