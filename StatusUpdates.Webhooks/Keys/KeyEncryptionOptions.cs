namespace StatusUpdates.Webhooks.Keys;

/// <summary>
/// What encrypts the keys by which webhooks' secrets are encrypted: without it, a copy of the database reveals them. Read by API and worker, the same
/// for both.
/// </summary>
internal sealed class KeyEncryptionOptions
{
    public const string SectionName = "DataProtection";

    /// <summary>The certificate.</summary>
    public CertificateFile Certificate { get; set; } = new();

    /// <summary>The previous certificate, which still decrypts what it has encrypted.</summary>
    public CertificateFile PreviousCertificate { get; set; } = new();
}

/// <summary>A certificate in a file.</summary>
internal sealed class CertificateFile
{
    /// <summary>The PKCS #12 file, with its private key.</summary>
    public string? Path { get; set; }

    /// <summary>The password of the file.</summary>
    public string? Password { get; set; }
}
