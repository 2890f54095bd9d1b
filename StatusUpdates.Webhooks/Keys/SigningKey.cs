using System.Security.Cryptography;
using NSec.Cryptography;

namespace StatusUpdates.Webhooks.Keys;

/// <summary>
/// One of a webhook's keys: a shared secret and a key pair, which are created and expire together. It is stored in encrypted form, and holds no
/// resources.
/// </summary>
/// <param name="Secret">The shared secret.</param>
/// <param name="Ed25519">The private key (RFC 8032, section 5.1.5).</param>
/// <param name="PublicKey">Its public key.</param>
/// <param name="ExpiresAt">When it expires; null for the newest one.</param>
internal sealed record SigningKey(byte[] Secret, byte[] Ed25519, byte[] PublicKey, DateTimeOffset? ExpiresAt)
{
    // The specification says 24 to 64 bytes; this is the length of the hash (RFC 2104, section 3).
    private const int SecretBytes = 32;

    public static SigningKey Create()
    {
        using var pair = Key.Create(
            SignatureAlgorithm.Ed25519, new KeyCreationParameters { ExportPolicy = KeyExportPolicies.AllowPlaintextExport });
        return new(
            RandomNumberGenerator.GetBytes(SecretBytes),
            pair.Export(KeyBlobFormat.RawPrivateKey),
            pair.PublicKey.Export(KeyBlobFormat.RawPublicKey),
            ExpiresAt: null);
    }

    /// <summary>Whether its parts are present and have the right lengths.</summary>
    public bool IsValid() =>
        Secret?.Length > 0
        && Ed25519?.Length == SignatureAlgorithm.Ed25519.PrivateKeySize
        && PublicKey?.Length == SignatureAlgorithm.Ed25519.PublicKeySize;

    /// <summary>
    /// Signs with the private key. It is imported for this signature alone: in the library, a key takes four mappings of locked and guarded memory,
    /// of which a process has few.
    /// </summary>
    public byte[] SignEd25519(ReadOnlySpan<byte> content)
    {
        using var pair = Key.Import(SignatureAlgorithm.Ed25519, Ed25519, KeyBlobFormat.RawPrivateKey);
        return SignatureAlgorithm.Ed25519.Sign(pair, content);
    }

    public bool IsLive(DateTimeOffset now) => ExpiresAt is null || ExpiresAt > now;

    public SigningKey ExpiringBy(DateTimeOffset time) => ExpiresAt <= time ? this : this with { ExpiresAt = time };

    // Keeps the key out of messages and logs.
    public override string ToString() => nameof(SigningKey);
}
