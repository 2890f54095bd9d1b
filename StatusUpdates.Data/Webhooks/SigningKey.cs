using System.Security.Cryptography;
using NSec.Cryptography;

namespace StatusUpdates.Data.Webhooks;

/// <summary>One of a webhook's keys: a shared secret and a key pair, which come and go together.</summary>
internal sealed record SigningKey(byte[] Secret, Key Ed25519, DateTimeOffset? ExpiresAt)
{
    // 24 to 64 bytes by the specification; as long as the hash (RFC 2104, section 3).
    private const int SecretBytes = 32;

    private static KeyCreationParameters Exportable => new() { ExportPolicy = KeyExportPolicies.AllowPlaintextExport };

    public static SigningKey Create() =>
        new(RandomNumberGenerator.GetBytes(SecretBytes), Key.Create(SignatureAlgorithm.Ed25519, Exportable), ExpiresAt: null);

    /// <exception cref="FormatException">It is no Ed25519 key.</exception>
    public static SigningKey Read(StoredKey stored) => new(
        stored.Secret,
        Key.TryImport(SignatureAlgorithm.Ed25519, stored.Ed25519, KeyBlobFormat.RawPrivateKey, out var key, Exportable)
            ? key!
            : throw new FormatException("There is a key that is no Ed25519 key."),
        stored.ExpiresAt);

    public StoredKey ToStored() => new(Secret, Ed25519.Export(KeyBlobFormat.RawPrivateKey), ExpiresAt);

    public bool IsLive(DateTimeOffset now) => ExpiresAt is null || ExpiresAt > now;

    public SigningKey EndingBy(DateTimeOffset time) => ExpiresAt <= time ? this : this with { ExpiresAt = time };

    // Never a part of a message or a log.
    public override string ToString() => nameof(SigningKey);
}

/// <summary>A key as it is stored, encrypted.</summary>
internal sealed record StoredKey(byte[] Secret, byte[] Ed25519, DateTimeOffset? ExpiresAt)
{
    public override string ToString() => nameof(StoredKey);
}
