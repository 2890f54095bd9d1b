using System.Buffers.Text;
using System.Security.Cryptography;

namespace StatusUpdates.Messaging;

/// <summary>
/// Distinguishes this system's messages on Redis from those of anyone else who can publish there. A message ends with a tag: HMAC-SHA-256 (RFC 2104)
/// of everything before it, truncated to 16 bytes (section 5), in base64url (RFC 4648), as the JSON object's last member. The key comes from the
/// system's database. Without a key, no message is tagged and none is genuine. Thread-safe.
/// </summary>
public sealed class MessageSeal
{
    private const int TagBytes = 16;
    private const int TagChars = 22;

    // One for each thread, because it is not thread-safe. It has processed the key already: half the work for a message of this size.
    [ThreadStatic]
    private static (byte[] Key, IncrementalHash Hash)? _hmac;

    private volatile byte[]? _key;

    /// <summary>Called when a message fails verification: the key may have changed. Must return quickly; may be called often.</summary>
    public Action? Doubted { get; set; }

    private static ReadOnlySpan<byte> Start => ",\"tag\":\""u8;

    private static ReadOnlySpan<byte> End => "\"}"u8;

    private static int Length => Start.Length + TagChars + End.Length;

    /// <summary>Sets the key.</summary>
    /// <param name="key">At least 32 bytes.</param>
    /// <exception cref="ArgumentException">The key is too short.</exception>
    public void UseKey(byte[] key)
    {
        if (key.Length < HMACSHA256.HashSizeInBytes)
        {
            throw new ArgumentException($"A key needs at least {HMACSHA256.HashSizeInBytes} bytes; this one has {key.Length}.", nameof(key));
        }

        _key = key;
    }

    /// <summary>Returns the message with its tag, or unchanged if there is no key.</summary>
    /// <param name="json">A JSON object with at least one member, as UTF-8, without trailing white space.</param>
    public byte[] Seal(byte[] json)
    {
        if (_key is not { } key)
        {
            return json;
        }

        var body = json.AsSpan(0, json.Length - 1);
        var message = GC.AllocateUninitializedArray<byte>(body.Length + Length);
        body.CopyTo(message);
        Start.CopyTo(message.AsSpan(body.Length));
        WriteTag(key, body, message.AsSpan(body.Length + Start.Length, TagChars));
        End.CopyTo(message.AsSpan(message.Length - End.Length));
        return message;
    }

    /// <summary>Whether the message has a tag, which may be that of somebody else.</summary>
    public static bool IsSealed(ReadOnlySpan<byte> message) =>
        message.Length > Length && message.EndsWith(End) && message[^Length..].StartsWith(Start);

    /// <summary>Whether a service that has the key sent exactly this message.</summary>
    public bool IsGenuine(ReadOnlySpan<byte> message)
    {
        if (_key is { } key && IsSealed(message))
        {
            Span<byte> tag = stackalloc byte[TagChars];
            WriteTag(key, message[..^Length], tag);
            if (CryptographicOperations.FixedTimeEquals(tag, message.Slice(message.Length - End.Length - TagChars, TagChars)))
            {
                return true;
            }
        }

        Doubted?.Invoke();
        return false;
    }

    private static void WriteTag(byte[] key, ReadOnlySpan<byte> body, Span<byte> tag)
    {
        if (_hmac is not { } hmac || hmac.Key != key)
        {
            _hmac = hmac = (key, IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key));
        }

        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        hmac.Hash.AppendData(body);
        hmac.Hash.GetHashAndReset(hash);
        Base64Url.EncodeToUtf8(hash[..TagBytes], tag, out _, out _);
    }
}
