using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Tokens;

namespace StatusUpdates.Api.Security.Bearer;

/// <summary>
/// Completes the options that ASP.NET Core reads from <c>Authentication:Schemes:Bearer</c> (authority, issuers, audiences, signing keys) by
/// this API's rules, and refuses to start with a configuration that would accept every token, or none.
/// </summary>
internal sealed class BearerOptionsSetup(TimeProvider time, IConfiguration configuration, ILogger<IssuerConfiguration> issuerLogger)
    : IPostConfigureOptions<JwtBearerOptions>, IValidateOptions<JwtBearerOptions>
{
    public const string Section = "Authentication:Schemes:" + JwtBearerDefaults.AuthenticationScheme;

    // An HMAC-SHA-256 key must be at least as long as the hash (RFC 7518, section 3.2).
    private const int MinKeyBytes = 32;

    private const string SigningKeys = Section + ":SigningKeys";

    private static readonly string[] AuthorityAlgorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    private static readonly string[] SharedKeyAlgorithms = [SecurityAlgorithms.HmacSha256];

    public void PostConfigure(string? name, JwtBearerOptions options)
    {
        options.MapInboundClaims = false;
        options.SaveToken = false;
        options.Events = new BearerEvents();
        options.TokenHandlers.Clear();
        options.TokenHandlers.Add(new AccessTokenHandler());
        if (HasAuthority(options) && options.MetadataAddress is { } address)
        {
            // Replaces the framework's manager, which is already set up.
            options.ConfigurationManager = new IssuerConfiguration(
                address, new HttpDocumentRetriever(options.Backchannel) { RequireHttps = options.RequireHttpsMetadata }, time, issuerLogger)
            {
                AutomaticRefreshInterval = options.AutomaticRefreshInterval,

                // A key that the issuer has removed is no longer valid.
                UseLastKnownGoodConfiguration = false,
            };
        }

        var parameters = options.TokenValidationParameters;
        parameters.NameClaimType = JwtRegisteredClaimNames.Sub;
        parameters.ClockSkew = AccessToken.ClockSkew;
        parameters.RequireSignedTokens = true;
        parameters.RequireExpirationTime = true;
        parameters.ValidateIssuer = true;
        parameters.ValidateAudience = true;
        parameters.ValidateIssuerSigningKey = true;
        parameters.LifetimeValidator = ValidateLifetime;
        parameters.IncludeTokenOnFailedValidation = false;

        // Replaces the framework's sequence, which fails on two keys of one issuer, and creates new keys, and so new cryptographic providers, on each
        // enumeration. The order matters: the first key signs development tokens.
        parameters.IssuerSigningKeys = Keys(parameters)
            .Select(key => key.Bytes)
            .OfType<byte[]>()
            .Where(bytes => bytes.Length > 0)
            .Select(bytes => new SymmetricSecurityKey(bytes))
            .ToArray<SecurityKey>();

        // An issuer signs with its private key; a key configured here is shared (RFC 8725, section 3.1).
        parameters.ValidAlgorithms = HasAuthority(options) ? AuthorityAlgorithms : SharedKeyAlgorithms;
    }

    public ValidateOptionsResult Validate(string? name, JwtBearerOptions options)
    {
        var parameters = options.TokenValidationParameters;
        var issuers = Issuers(parameters);
        var keys = SigningKey.Read(configuration.GetSection(SigningKeys)).ToList();
        List<string> failures = [];
        foreach (var key in keys)
        {
            if (key.Bytes is null)
            {
                failures.Add($"{key.Path}:Value must be a key in base64.");
            }
            else if (key.Bytes.Length < MinKeyBytes)
            {
                failures.Add($"{key.Path}:Value must have at least {MinKeyBytes} bytes.");
            }

            if (!issuers.Contains(key.Issuer, StringComparer.Ordinal))
            {
                failures.Add($"{key.Path}:Issuer must be {Section}:ValidIssuer or one of ValidIssuers: otherwise the key would never be used.");
            }
        }

        if (HasAuthority(options) && keys.Count > 0)
        {
            failures.Add(
                $"{Section}:Authority and {keys[0].Path}:Value are both set: anyone who has that key could sign tokens in the authority's name. "
                + $"Remove {SigningKeys} to trust the authority (production), or Authority to trust the keys (development).");
        }

        if (!HasAuthority(options) && keys.Count == 0)
        {
            failures.Add(
                $"No token can be validated: set {Section}:Authority, or for development {Section}:ValidIssuer with "
                + $"{SigningKeys}:0:Issuer (the same issuer) and {SigningKeys}:0:Value (base64, at least {MinKeyBytes} bytes).");
        }

        if (options.Authority is { Length: > 0 } authority
            && !(Uri.TryCreate(authority, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttps || url.Scheme == Uri.UriSchemeHttp)))
        {
            failures.Add($"{Section}:Authority must be an absolute https address, such as https://login.example.com/tenant.");
        }

        string?[] audiences = [parameters.ValidAudience, .. parameters.ValidAudiences ?? []];
        if (audiences.All(string.IsNullOrWhiteSpace))
        {
            failures.Add($"Set {Section}:ValidAudiences:0 (or ValidAudience): without it, tokens for other audiences would be accepted.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static bool HasAuthority(JwtBearerOptions options) =>
        !string.IsNullOrEmpty(options.Authority) || !string.IsNullOrEmpty(options.MetadataAddress);

    private static string[] Issuers(TokenValidationParameters parameters) =>
        [.. new[] { parameters.ValidIssuer }.Concat(parameters.ValidIssuers ?? []).OfType<string>().Distinct(StringComparer.Ordinal)];

    // All keys of each accepted issuer, so that a new key can be accepted next to the old one.
    private IEnumerable<SigningKey> Keys(TokenValidationParameters parameters) =>
        from issuer in Issuers(parameters)
        from key in SigningKey.Read(configuration.GetSection(SigningKeys))
        where key.Issuer == issuer
        select key;

    private bool ValidateLifetime(
        DateTime? notBefore, DateTime? expires, SecurityToken securityToken, TokenValidationParameters parameters)
    {
        var now = time.GetUtcNow().UtcDateTime;
        if (expires is not { } end)
        {
            throw new SecurityTokenNoExpirationException();
        }

        if (notBefore > now + parameters.ClockSkew)
        {
            throw new SecurityTokenNotYetValidException { NotBefore = notBefore.Value };
        }

        return end >= now - parameters.ClockSkew ? true : throw new SecurityTokenExpiredException { Expires = end };
    }

    /// <summary>A key of the configuration section; <paramref name="Bytes"/> is null if the value is not base64.</summary>
    private sealed record SigningKey(string Path, string? Issuer, byte[]? Bytes)
    {
        // An entry without a value is a placeholder that another configuration source may fill.
        public static IEnumerable<SigningKey> Read(IConfigurationSection section) =>
            from child in section.GetChildren()
            let value = child["Value"]
            where !string.IsNullOrEmpty(value)
            select new SigningKey(child.Path, child["Issuer"], BytesOf(value));

        private static byte[]? BytesOf(string value)
        {
            var bytes = new byte[value.Length];
            return Convert.TryFromBase64String(value, bytes, out var length) ? bytes[..length] : null;
        }
    }
}
