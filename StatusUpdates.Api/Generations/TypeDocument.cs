using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using StatusUpdates.Api.Json;
using StatusUpdates.Data.Types;

namespace StatusUpdates.Api.Generations;

/// <summary>The registered types.</summary>
/// <param name="Items">The types, in the order in which to offer them.</param>
internal sealed record TypeList(IReadOnlyList<RegisteredType> Items);

/// <summary>
/// <c>GET /api/v1/types</c>: the registry, written once, because it does not change while the process runs. Its strong entity tag is a hash of it
/// (RFC 9110, section 8.8.3). Thread-safe.
/// </summary>
internal sealed class TypeDocument
{
    private readonly byte[] _bytes;
    private readonly EntityTagHeaderValue _tag;

    public TypeDocument(GenerationTypes types, IOptions<JsonOptions> json)
    {
        _bytes = JsonSerializer.SerializeToUtf8Bytes(new Success<TypeList>(new(types.All)), json.Value.SerializerOptions);
        _tag = new($"\"{Convert.ToHexStringLower(SHA256.HashData(_bytes))}\"");
    }

    public FileContentHttpResult Get(HttpResponse response)
    {
        response.Headers.CacheControl = "private, no-cache";
        return TypedResults.Bytes(_bytes, "application/json; charset=utf-8", entityTag: _tag);
    }
}
