using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace StatusUpdates.Worker.Processors;

/// <summary>The random seed of a request: the first 64 bits of SHA-256 over the prompt and the option <c>seed</c>.</summary>
internal static class RequestSeed
{
    public static ulong Of(string prompt, JsonElement options)
    {
        var seed = options.ValueKind == JsonValueKind.Object && options.TryGetProperty("seed", out var value) ? value.GetRawText() : "";
        return BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{prompt}\n{seed}")));
    }
}
