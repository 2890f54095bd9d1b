using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Schema;

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
    /// Call it after <c>AddStatusDatabase</c>, whose migrations come first; needs the EF Core context.
    /// </summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A certificate cannot be read.</exception>
    public static void AddWebhookSecrets(this IHostApplicationBuilder builder)
    {
        var protection = builder.Services.AddDataProtection()
            .SetApplicationName(ApplicationName)
            .PersistKeysToDbContext<StatusDbContext>();
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

    /// <summary>Adds <see cref="AddressPolicy"/> by <see cref="WebhookAddressOptions"/>, and <see cref="IHostResolver"/>.</summary>
    public static void AddWebhookAddresses(this IHostApplicationBuilder builder)
    {
        // Before the section is read, which has the last word.
        builder.Services.AddOptions<WebhookAddressOptions>()
            .Configure<IHostEnvironment>((options, environment) => options.AllowHttp = environment.IsDevelopment())
            .BindConfiguration(WebhookAddressOptions.SectionName)
            .ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<WebhookAddressOptions>>(new WebhookAddressOptions());
        builder.Services.AddSingleton(services => services.GetRequiredService<IOptions<WebhookAddressOptions>>().Value.ToPolicy());
        builder.Services.TryAddSingleton<IHostResolver, SystemHostResolver>();
    }

    private static X509Certificate2? Certificate(IConfiguration configuration, string section) =>
        configuration[$"{section}:Path"] is { Length: > 0 } path
            ? X509CertificateLoader.LoadPkcs12FromFile(path, configuration[$"{section}:Password"])
            : null;
}
