namespace StatusUpdates.Worker.Providers;

/// <summary>What a provider created.</summary>
/// <param name="Outputs">The results, in the order the user sees them.</param>
/// <param name="TokensUsed">What it cost, in tokens.</param>
public sealed record ProviderResult(IReadOnlyList<ProviderOutput> Outputs, long TokensUsed);

/// <summary>One result: content, or a link to it.</summary>
public abstract record ProviderOutput;

/// <summary>A result that the system stores and serves.</summary>
/// <param name="ContentType">Its media type (RFC 9110, section 8.3.1).</param>
/// <param name="Bytes">Its content, 4 MiB at most.</param>
public sealed record ProviderContent(string ContentType, byte[] Bytes) : ProviderOutput;

/// <summary>A result that is served elsewhere.</summary>
/// <param name="Url">An absolute http or https address.</param>
public sealed record ProviderLink(Uri Url) : ProviderOutput;
