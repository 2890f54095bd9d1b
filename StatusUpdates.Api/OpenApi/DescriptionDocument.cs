using System.Security.Cryptography;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Net.Http.Headers;
using Microsoft.OpenApi;

namespace StatusUpdates.Api.OpenApi;

/// <summary>
/// The OpenAPI document, built on the first request and cached: building it takes tens of milliseconds, anyone may request it, and it does not change
/// while the process runs. It names no server, so it applies to whatever address it is read from. Thread-safe.
/// </summary>
internal sealed class DescriptionDocument([FromKeyedServices(ApiDescription.Name)] IOpenApiDocumentProvider provider)
{
    private readonly Lock _gate = new();
    private Task<EncodedDescription>? _built;

    /// <summary>The document. If building it failed, the next request tries again.</summary>
    public Task<EncodedDescription> GetAsync()
    {
        lock (_gate)
        {
            if (_built is null or { IsCompleted: true, IsCompletedSuccessfully: false })
            {
                // On another thread: building is synchronous for the most part, and the lock must not be held for that long.
                _built = Task.Run(BuildAsync);
            }

            return _built;
        }
    }

    private async Task<EncodedDescription> BuildAsync()
    {
        // Without the first request's token: its client may disconnect, and others wait too.
        var document = await provider.GetOpenApiDocumentAsync(CancellationToken.None);
        using var stream = new MemoryStream();
        await document.SerializeAsJsonAsync(stream, OpenApiSpecVersion.OpenApi3_1, CancellationToken.None);
        var bytes = stream.ToArray();
        return new(bytes, new($"\"{Convert.ToHexStringLower(SHA256.HashData(bytes))}\""));
    }
}

/// <summary>The OpenAPI document in encoded form.</summary>
/// <param name="Bytes">JSON in UTF-8. Must not be modified.</param>
/// <param name="Tag">A strong entity tag (RFC 9110, section 8.8.3): a hash of the bytes.</param>
internal sealed record EncodedDescription(byte[] Bytes, EntityTagHeaderValue Tag);
