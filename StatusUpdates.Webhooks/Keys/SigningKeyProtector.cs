using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;

namespace StatusUpdates.Webhooks.Keys;

/// <summary>
/// Encrypts and decrypts stored signing keys, bound to their webhook: keys from another webhook's row are not accepted. Thread-safe.
/// </summary>
public sealed class SigningKeyProtector(IDataProtectionProvider provider)
{
    // If this text changes, no webhook's keys can be decrypted any more.
    private const string Purpose = "StatusUpdates.Webhooks.SigningKeys.v1";

    /// <summary>A webhook's keys, encrypted for it.</summary>
    public byte[] Protect(string webhookId, SigningKeys keys)
    {
        var bytes = keys.ToBytes();
        try
        {
            return BoundTo(webhookId).Protect(bytes);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    /// <summary>A webhook's keys, decrypted.</summary>
    /// <exception cref="CryptographicException">They were encrypted for another webhook or by another installation, or their encryption key is gone.</exception>
    /// <exception cref="FormatException">What was encrypted is not signing keys.</exception>
    public SigningKeys Unprotect(string webhookId, byte[] signingKeys)
    {
        var bytes = BoundTo(webhookId).Unprotect(signingKeys);
        try
        {
            return SigningKeys.Parse(bytes);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    private IDataProtector BoundTo(string webhookId) => provider.CreateProtector(Purpose, webhookId);
}
