using System.Security.Cryptography;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Net.Http.Headers;
using Microsoft.OpenApi;

namespace StatusUpdates.Api.OpenApi;

/// <summary>
/// The API's description, built when it is first asked for: that takes tens of milliseconds, anybody may ask, and it does not change while the process runs.
/// It names no server, so it is about whatever address it is read from. Thread-safe.
/// </summary>
internal sealed class DescriptionDocument([FromKeyedServices(ApiDescription.Name)] IOpenApiDocumentProvider provider)
{
    private readonly Lock _gate = new();
    private Task<EncodedDescription>? _built;

    /// <summary>The description. One that could not be built is tried again by the next who asks.</summary>
    public Task<EncodedDescription> GetAsync()
    {
        lock (_gate)
        {
            if (_built is null or { IsCompleted: true, IsCompletedSuccessfully: false })
            {
                _built = Task.Run(BuildAsync);
            }

            return _built;
        }
    }

    private async Task<EncodedDescription> BuildAsync()
    {
        // Not the first request's alone: it may leave.
        var document = await provider.GetOpenApiDocumentAsync(CancellationToken.None);
        using var stream = new MemoryStream();
        await document.SerializeAsJsonAsync(stream, OpenApiSpecVersion.OpenApi3_1, CancellationToken.None);
        var bytes = stream.ToArray();
        return new(bytes, new($"\"{Convert.ToHexStringLower(SHA256.HashData(bytes))}\""));
    }
}

/// <summary>A description as it is sent.</summary>
/// <param name="Bytes">JSON in UTF-8. Not to be changed.</param>
/// <param name="Tag">A strong entity tag (RFC 9110, section 8.8.3): a hash of the bytes.</param>
internal sealed record EncodedDescription(byte[] Bytes, EntityTagHeaderValue Tag);
