using System.Security.Cryptography;
using NSec.Cryptography;

namespace StatusUpdates.Data.Webhooks;

/// <summary>
/// One of a webhook's keys: a shared secret and a key pair, which come and go together. It is what is stored, encrypted, and holds nothing that
/// has to be released.
/// </summary>
/// <param name="Secret">The shared secret.</param>
/// <param name="Ed25519">The private key (RFC 8032, section 5.1.5).</param>
/// <param name="PublicKey">The public key to it.</param>
/// <param name="ExpiresAt">From when on it is over; null for the newest one.</param>
internal sealed record SigningKey(byte[] Secret, byte[] Ed25519, byte[] PublicKey, DateTimeOffset? ExpiresAt)
{
    // 24 to 64 bytes by the specification; as long as the hash (RFC 2104, section 3).
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

    /// <summary>Whether its parts are there and as long as they must be.</summary>
    public bool IsWhole() =>
        Secret?.Length > 0
        && Ed25519?.Length == SignatureAlgorithm.Ed25519.PrivateKeySize
        && PublicKey?.Length == SignatureAlgorithm.Ed25519.PublicKeySize;

    /// <summary>
    /// Signs with the private key. It is imported for this signature alone: in the library's hands it is four mappings of locked and guarded
    /// memory, of which a process has few.
    /// </summary>
    public void SignEd25519(ReadOnlySpan<byte> content, Span<byte> signature)
    {
        using var pair = Key.Import(SignatureAlgorithm.Ed25519, Ed25519, KeyBlobFormat.RawPrivateKey);
        SignatureAlgorithm.Ed25519.Sign(pair, content, signature);
    }

    public bool IsLive(DateTimeOffset now) => ExpiresAt is null || ExpiresAt > now;

    public SigningKey EndingBy(DateTimeOffset time) => ExpiresAt <= time ? this : this with { ExpiresAt = time };

    // Never a part of a message or a log.
    public override string ToString() => nameof(SigningKey);
}
