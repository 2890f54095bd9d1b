using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace StatusUpdates.Api.Security;

/// <summary>
/// Completes what ASP.NET Core reads from <c>Authentication:Schemes:Bearer</c> (authority, issuers, audiences, signing keys) by the
/// rules of this API, and refuses to start on a configuration that would let anybody in, or nobody.
/// </summary>
internal sealed class BearerOptionsSetup(TimeProvider time, IConfiguration configuration)
    : IPostConfigureOptions<JwtBearerOptions>, IValidateOptions<JwtBearerOptions>
{
    public const string Section = "Authentication:Schemes:" + JwtBearerDefaults.AuthenticationScheme;

    /// <summary>How far the clocks of issuer and API may differ.</summary>
    public static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);

    // HMAC-SHA-256 needs a key of at least its output's size (RFC 7518, section 3.2).
    private const int MinKeyBits = 256;

    public void PostConfigure(string? name, JwtBearerOptions options)
    {
        options.MapInboundClaims = false;
        options.SaveToken = false;
        options.Events = new BearerEvents();

        var parameters = options.TokenValidationParameters;
        parameters.NameClaimType = JwtRegisteredClaimNames.Sub;
        parameters.ClockSkew = ClockSkew;
        parameters.RequireSignedTokens = true;
        parameters.RequireExpirationTime = true;
        parameters.ValidateIssuer = true;
        parameters.ValidateAudience = true;
        parameters.ValidateIssuerSigningKey = true;
        parameters.LifetimeValidator = ValidateLifetime;
        parameters.IncludeTokenOnFailedValidation = false;

        // Read once: the framework's sequence makes new keys, and so new cryptographic providers, at each enumeration.
        if (TryReadKeys(parameters, out var keys))
        {
            parameters.IssuerSigningKeys = keys;
        }
    }

    public ValidateOptionsResult Validate(string? name, JwtBearerOptions options)
    {
        var parameters = options.TokenValidationParameters;
        if (!TryReadKeys(parameters, out var keys))
        {
            return ValidateOptionsResult.Fail($"{Section}:SigningKeys:0:Value must be a key in base64.");
        }

        List<string> failures = [];
        if (options.Authority is null && keys.Count == 0)
        {
            failures.Add(
                $"No token could be validated: set {Section}:Authority, or for development {Section}:ValidIssuer with "
                + $"{Section}:SigningKeys:0:Issuer (the same issuer) and {Section}:SigningKeys:0:Value (base64, at least {MinKeyBits / 8} bytes).");
        }

        if (keys.Any(key => key.KeySize < MinKeyBits))
        {
            failures.Add($"{Section}:SigningKeys:0:Value must have at least {MinKeyBits / 8} bytes.");
        }

        string?[] audiences = [parameters.ValidAudience, .. parameters.ValidAudiences ?? []];
        if (audiences.All(string.IsNullOrWhiteSpace))
        {
            failures.Add($"Set {Section}:ValidAudiences:0 (or ValidAudience): without it tokens meant for others would be taken.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private bool TryReadKeys(TokenValidationParameters parameters, out List<SecurityKey> keys)
    {
        try
        {
            keys = [.. parameters.IssuerSigningKeys ?? []];

            // The framework looks for the keys of the configured issuers and passes over all others without a word.
            return keys.Count > 0 || HasUsableBase64(configuration.GetSection($"{Section}:SigningKeys"));
        }
        catch (FormatException)
        {
            keys = [];
            return false;
        }
    }

    private static bool HasUsableBase64(IConfigurationSection section) => section.GetChildren().All(
        key => key["Value"] is not { } value || Convert.TryFromBase64String(value, new byte[value.Length], out _));

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
}
