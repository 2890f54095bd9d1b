using System.Security.Cryptography;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Net.Http.Headers;
using Microsoft.OpenApi;

namespace StatusUpdates.Api.OpenApi;

/// <summary>
/// The OpenAPI document, built on the first request and cached: building it takes tens of milliseconds, anyone may request it, and it does not change
/// while the process runs. It names no server, so it is right at every address of the API. Thread-safe.
/// </summary>
internal sealed class DescriptionDocument([FromKeyedServices(ApiDescription.Name)] IOpenApiDocumentProvider provider)
{
    private readonly Lock _gate = new();
    private Task<FileContentHttpResult>? _built;

    /// <summary>The document, with a hash of it as its strong entity tag (RFC 9110, section 8.8.3). If building it failed, the next request tries again.</summary>
    public Task<FileContentHttpResult> GetAsync()
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

    private async Task<FileContentHttpResult> BuildAsync()
    {
        // Without the first request's token: its client may disconnect, and others wait too.
        var document = await provider.GetOpenApiDocumentAsync(CancellationToken.None);
        using var stream = new MemoryStream();
        await document.SerializeAsJsonAsync(stream, OpenApiSpecVersion.OpenApi3_1, CancellationToken.None);
        var bytes = stream.ToArray();
        var tag = new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(bytes))}\"");
        return TypedResults.Bytes(bytes, "application/json; charset=utf-8", entityTag: tag);
    }
}
