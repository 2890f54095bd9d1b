using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Webhooks.Keys;

/// <summary>
/// The keys that sign a webhook's messages: the current one, and those that were rotated out and are still valid, newest first. Immutable and
/// thread-safe. Parsing them, also to show the public key, takes only a few hundred bytes.
/// </summary>
/// <remarks>Standard Webhooks 1.0, https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.</remarks>
public sealed class SigningKeys
{
    /// <summary>The maximum number of valid keys.</summary>
    public const int MaxLive = 3;

    private readonly SigningKey[] _keys;

    private SigningKeys(SigningKey[] keys) => _keys = keys;

    /// <summary>The secret that the receiver verifies <c>v1</c> with: <c>whsec_</c> and the newest one in base64. Shown once, never logged.</summary>
    public string Secret => "whsec_" + Convert.ToBase64String(_keys[0].Secret);

    /// <summary>The key that anybody can verify <c>v1a</c> with: <c>whpk_</c> and the newest public key in base64. Not secret.</summary>
    public string PublicKey => "whpk_" + Convert.ToBase64String(_keys[0].PublicKey);

    /// <summary>The number of keys, including expired ones.</summary>
    public int Count => _keys.Length;

    /// <summary>Creates a webhook's first key.</summary>
    public static SigningKeys Create() => new([SigningKey.Create()]);

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <exception cref="FormatException">It is not in that format.</exception>
    public static SigningKeys Parse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var keys = JsonSerializer.Deserialize(utf8, SigningKeysJsonContext.Default.SigningKeyArray);
            return keys is { Length: > 0 } && Array.TrueForAll(keys, key => key is not null && key.IsValid())
                ? new(keys)
                : throw new FormatException("These are not signing keys.");
        }
        catch (JsonException)
        {
            // Without the cause: its message could quote a part of a key.
            throw new FormatException("These are not signing keys.");
        }
    }

    /// <summary>All keys, including the secrets, as UTF-8 JSON: to be encrypted at once (<see cref="SigningKeyProtector"/>).</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(_keys, SigningKeysJsonContext.Default.SigningKeyArray);

    /// <summary>
    /// Adds a new key in front. Earlier ones are valid until <paramref name="now"/> + <paramref name="overlap"/> at most; an overlap of zero
    /// invalidates them at once. Beyond <see cref="MaxLive"/> the oldest are removed.
    /// </summary>
    public SigningKeys Rotate(TimeSpan overlap, DateTimeOffset now)
    {
        var until = now + overlap;
        return new(
        [
            SigningKey.Create(),
            .. _keys.Select(key => key.ExpiringBy(until)).Where(key => key.IsLive(now)).Take(MaxLive - 1),
        ]);
    }

    /// <summary>
    /// Signs <c>{id}.{timestamp}.{body}</c> with every key that is valid now, newest first: each adds a <c>v1</c> (HMAC-SHA256) and a
    /// <c>v1a</c> (Ed25519, RFC 8032).
    /// </summary>
    /// <param name="messageId">The header <c>webhook-id</c>.</param>
    /// <param name="timestamp">The attempt's time, as in the header <c>webhook-timestamp</c>: in whole seconds.</param>
    /// <param name="body">The exact body.</param>
    /// <param name="now">The time at which keys must be valid.</param>
    /// <returns>The header <c>webhook-signature</c>.</returns>
    public string Sign(string messageId, DateTimeOffset timestamp, ReadOnlySpan<byte> body, DateTimeOffset now)
    {
        var prefix = string.Create(CultureInfo.InvariantCulture, $"{messageId}.{timestamp.ToUnixTimeSeconds()}.");
        byte[] content = [.. Encoding.UTF8.GetBytes(prefix), .. body];

        // The newest key never expires, so there is always a signature.
        return string.Join(' ', _keys.Where(key => key.IsLive(now)).Select(key =>
            $"v1,{Convert.ToBase64String(HMACSHA256.HashData(key.Secret, content))} v1a,{Convert.ToBase64String(key.SignEd25519(content))}"));
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SigningKey[]))]
internal sealed partial class SigningKeysJsonContext : JsonSerializerContext;
