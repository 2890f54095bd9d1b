using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Data.Webhooks;

/// <summary>What the services that know webhooks have in common.</summary>
public static class WebhookServices
{
    // A part of what secrets are encrypted with: services of the same name, on the same database, can read each other's.
    private const string ApplicationName = "StatusUpdates";

    private const string CertificateSection = "DataProtection:Certificate";
    private const string PreviousCertificateSection = "DataProtection:PreviousCertificate";

    /// <summary>
    /// Adds <see cref="SigningKeyProtector"/>. Its keys are in the database; with <c>DataProtection:Certificate:Path</c> (PKCS #12) and
    /// <c>:Password</c> they are encrypted there, and <c>DataProtection:PreviousCertificate</c> still decrypts them after a change of it.
    /// Call it after <c>AddStatusDatabase</c>, whose migrations come first.
    /// </summary>
    /// <exception cref="InvalidOperationException">A certificate cannot be read: the message names the setting.</exception>
    public static void AddWebhookSecrets(this IHostApplicationBuilder builder)
    {
        var protection = builder.Services.AddDataProtection().SetApplicationName(ApplicationName);
        builder.Services.AddOptions<KeyManagementOptions>()
            .Configure<StatusDatabase>((options, database) => options.XmlRepository = new KeyTable(database));
        if (Certificate(builder.Configuration, CertificateSection) is { } certificate)
        {
            protection.ProtectKeysWithCertificate(certificate);
        }

        if (Certificate(builder.Configuration, PreviousCertificateSection) is { } previous)
        {
            protection.UnprotectKeysWithAnyCertificate(previous);
        }

        builder.Services.AddSingleton<SigningKeyProtector>();
        builder.Services.AddHostedService<FirstKey>();
    }

    /// <summary>Adds <see cref="AddressPolicy"/> by <see cref="WebhookAddressOptions"/>, and <see cref="HostLookUps"/>.</summary>
    public static void AddWebhookAddresses(this IHostApplicationBuilder builder)
    {
        // Before the section is read, which has the last word.
        builder.Services.AddOptions<WebhookAddressOptions>()
            .Configure<IHostEnvironment>((options, environment) => options.AllowHttp = options.AllowsAnyPort = environment.IsDevelopment())
            .BindConfiguration(WebhookAddressOptions.SectionName)
            .ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<WebhookAddressOptions>>(new WebhookAddressOptions());
        builder.Services.AddSingleton(services => services.GetRequiredService<IOptions<WebhookAddressOptions>>().Value.ToPolicy());
        builder.Services.TryAddSingleton<IHostResolver, SystemHostResolver>();
        builder.Services.AddSingleton<HostLookUps>();
    }

    private static X509Certificate2? Certificate(IConfiguration configuration, string section)
    {
        var password = configuration[$"{section}:Password"];
        if (configuration[$"{section}:Path"] is not { Length: > 0 } path)
        {
            return string.IsNullOrEmpty(password)
                ? null
                : throw new InvalidOperationException($"{section}:Password is set without {section}:Path, the PKCS #12 file that it opens.");
        }

        if (!File.Exists(path))
        {
            throw new InvalidOperationException($"{section}:Path: there is no file {path}.");
        }

        try
        {
            var certificate = X509CertificateLoader.LoadPkcs12FromFile(path, password);
            return certificate.HasPrivateKey
                ? certificate
                : throw new InvalidOperationException($"{section}:Path: {path} holds no private key, without which nothing could be decrypted.");
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException(
                $"{section}:Path: {path} cannot be read as a PKCS #12 file with {section}:Password: {e.Message}", e);
        }
    }
}
