using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;

namespace StatusUpdates.Data.Webhooks;

/// <summary>
/// Encrypts and decrypts signing keys as they are stored, each webhook's for itself: what stands in another webhook's row is not accepted there. Thread-safe.
/// </summary>
public sealed class SigningKeyProtector(IDataProtectionProvider provider)
{
    // Whoever changes this text can read no webhook's keys any more.
    private const string Purpose = "StatusUpdates.Webhooks.SigningKeys.v1";

    // By itself what was stored before it was bound to its webhook: read until its next write.
    private readonly IDataProtector _protector = provider.CreateProtector(Purpose);

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
    /// <exception cref="FormatException">What was encrypted are no signing keys.</exception>
    public SigningKeys Unprotect(string webhookId, byte[] signingKeys)
    {
        var bytes = TryUnprotectBound(webhookId, signingKeys) ?? _protector.Unprotect(signingKeys);
        try
        {
            return SigningKeys.Parse(bytes);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    /// <summary>Whether keys are encrypted for this webhook, and not as they once were, for any.</summary>
    public bool IsBound(string webhookId, byte[] signingKeys)
    {
        var bytes = TryUnprotectBound(webhookId, signingKeys);
        CryptographicOperations.ZeroMemory(bytes);
        return bytes is not null;
    }

    private byte[]? TryUnprotectBound(string webhookId, byte[] signingKeys)
    {
        try
        {
            return BoundTo(webhookId).Unprotect(signingKeys);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private IDataProtector BoundTo(string webhookId) => _protector.CreateProtector(webhookId);
}
