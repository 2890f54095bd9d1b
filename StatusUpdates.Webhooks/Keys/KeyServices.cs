using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Webhooks.Keys;

/// <summary>Registers the encryption of webhooks' keys, which all services with webhooks have in common.</summary>
internal static class KeyServices
{
    // Part of the encryption: services with the same name, on the same database, can read each other's secrets.
    private const string ApplicationName = "StatusUpdates";

    /// <summary>
    /// Adds <see cref="SigningKeyProtector"/>. Its keys are in the database; with <c>DataProtection:Certificate:Path</c> (PKCS #12) and
    /// <c>:Password</c> they are encrypted there, and <c>DataProtection:PreviousCertificate</c> still decrypts them after a change of certificate.
    /// Call it after <c>AddStatusDatabase</c>, whose migrations must come first.
    /// </summary>
    /// <exception cref="InvalidOperationException">A certificate cannot be read: the message names the setting.</exception>
    public static void AddWebhookSecrets(this IHostApplicationBuilder builder)
    {
        var protection = builder.Services.AddSigningKeyProtector();

        // Read here, because Data Protection takes certificates only while services are registered.
        builder.Services.AddSectionOptions<KeyEncryptionOptions>(KeyEncryptionOptions.SectionName);
        var files = builder.Configuration.GetSection(KeyEncryptionOptions.SectionName).Get<KeyEncryptionOptions>() ?? new();
        if (Load(files.Certificate, nameof(files.Certificate)) is { } certificate)
        {
            protection.ProtectKeysWithCertificate(certificate);
        }

        if (Load(files.PreviousCertificate, nameof(files.PreviousCertificate)) is { } previous)
        {
            protection.UnprotectKeysWithAnyCertificate(previous);
        }

        builder.Services.AddHostedService<DataProtectionKeyLoader>();
    }

    /// <summary>Adds <see cref="SigningKeyProtector"/>, with its keys in the database.</summary>
    public static IDataProtectionBuilder AddSigningKeyProtector(this IServiceCollection services)
    {
        services.AddOptions<KeyManagementOptions>()
            .Configure<StatusDatabase>((options, database) => options.XmlRepository = new DataProtectionKeyRepository(database));
        return services.AddSingleton<SigningKeyProtector>().AddDataProtection().SetApplicationName(ApplicationName);
    }

    private static X509Certificate2? Load(CertificateFile file, string name)
    {
        var section = $"{KeyEncryptionOptions.SectionName}:{name}";
        if (file.Path is not { Length: > 0 } path)
        {
            return string.IsNullOrEmpty(file.Password)
                ? null
                : throw new InvalidOperationException($"{section}:Password is set without {section}:Path, the PKCS #12 file that it opens.");
        }

        if (!File.Exists(path))
        {
            throw new InvalidOperationException($"{section}:Path: there is no file {path}.");
        }

        try
        {
            var certificate = X509CertificateLoader.LoadPkcs12FromFile(path, file.Password);
            return certificate.HasPrivateKey
                ? certificate
                : throw new InvalidOperationException($"{section}:Path: {path} contains no private key, without which nothing can be decrypted.");
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException(
                $"{section}:Path: {path} cannot be read as a PKCS #12 file with {section}:Password: {e.Message}", e);
        }
    }
}
