using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;

namespace StatusUpdates.Data.Webhooks;

/// <summary>Encrypts and decrypts signing keys as they are stored. Thread-safe.</summary>
public sealed class SigningKeyProtector(IDataProtectionProvider provider)
{
    // Whoever changes this text can read no webhook's keys any more.
    private const string Purpose = "StatusUpdates.Webhooks.SigningKeys.v1";

    private readonly IDataProtector _protector = provider.CreateProtector(Purpose);

    /// <summary>The keys, encrypted.</summary>
    public byte[] Protect(SigningKeys keys)
    {
        var bytes = keys.ToBytes();
        try
        {
            return _protector.Protect(bytes);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    /// <summary>The keys, decrypted.</summary>
    /// <exception cref="CryptographicException">They were encrypted by another installation, or their encryption key is gone.</exception>
    /// <exception cref="FormatException">What was encrypted are no signing keys.</exception>
    public SigningKeys Unprotect(byte[] signingKeys)
    {
        var bytes = _protector.Unprotect(signingKeys);
        try
        {
            return SigningKeys.Parse(bytes);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
