using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;

namespace StatusUpdates.Data.Results;

/// <summary>What a generation may have as results, whichever worker made them. Limits of what an update can reasonably contain.</summary>
public static class ResultRules
{
    /// <summary>The most results of one generation.</summary>
    public const int MaxResults = 16;

    /// <summary>The longest address of a result, in characters.</summary>
    public const int MaxUrlLength = 2048;

    private const int MaxContentTypeLength = 255;

    /// <summary>Whether it is an absolute http or https address without a user name.</summary>
    public static bool IsAddress([NotNullWhen(true)] Uri? url) =>
        url is { IsAbsoluteUri: true, UserInfo: "" } && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps);

    /// <summary>Whether it is an address that a result may have: one that users get.</summary>
    public static bool IsUrl([NotNullWhen(true)] Uri? url) => IsAddress(url) && url.AbsoluteUri.Length <= MaxUrlLength;

    /// <summary>Whether it is a media type (RFC 9110, section 8.3.1) that can be stored with a result.</summary>
    public static bool IsMediaType([NotNullWhen(true)] string? contentType) =>
        contentType is { Length: <= MaxContentTypeLength } && MediaTypeHeaderValue.TryParse(contentType, out _);
}
