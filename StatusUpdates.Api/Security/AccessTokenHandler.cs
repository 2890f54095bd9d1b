using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace StatusUpdates.Api.Security;

/// <summary>
/// Validates access tokens: what their header says first, by RFC 8725 and RFC 9068, then all else as the library does. A key that is not known is asked for
/// before a token is refused for it. Thread-safe.
/// </summary>
internal sealed class AccessTokenHandler : JsonWebTokenHandler
{
    // "application/" may stand before them (RFC 7515, section 4.1.9). Absent is taken as well: many issuers write none.
    private static readonly string[] Types = ["at+jwt", "JWT", "application/at+jwt", "application/JWT"];

    public AccessTokenHandler() => MapInboundClaims = false;

    /// <summary>Fails with <see cref="IssuerUnavailableException"/> if the token could not be judged, and with another exception if it is not valid.</summary>
    public override async Task<TokenValidationResult> ValidateTokenAsync(SecurityToken token, TokenValidationParameters validationParameters)
    {
        if (token is JsonWebToken jwt && RefusalOf(jwt, validationParameters) is { } refusal)
        {
            return new() { Exception = refusal };
        }

        if (validationParameters.ConfigurationManager is not IssuerConfiguration issuer)
        {
            return await base.ValidateTokenAsync(token, validationParameters);
        }

        var arrivedAt = issuer.Now;
        if (!issuer.IsKnown && !await issuer.FetchAsync())
        {
            return new() { Exception = new IssuerUnavailableException() };
        }

        var result = await base.ValidateTokenAsync(token, validationParameters);
        while (result.Exception is SecurityTokenSignatureKeyNotFoundException && !issuer.IsAskedSince(arrivedAt))
        {
            // The fetch that is joined may have begun before the key was there. The next one cannot have.
            if (!await issuer.FetchAsync())
            {
                return new() { Exception = new IssuerUnavailableException() };
            }

            result = await base.ValidateTokenAsync(token, validationParameters);
        }

        return result;
    }

    private static RefusedHeaderException? RefusalOf(JsonWebToken token, TokenValidationParameters parameters)
    {
        // A token of another kind, signed by the same key, is none that lets in (RFC 8725, section 3.11).
        if (token.TryGetHeaderValue<object>(JwtHeaderParameterNames.Typ, out _) && !Types.Contains(token.Typ, StringComparer.OrdinalIgnoreCase))
        {
            return new("The token's typ must be at+jwt or JWT, or absent");
        }

        // It must be understood, and no extension is (RFC 7515, section 4.1.11).
        if (token.TryGetHeaderValue<object>("crit", out _))
        {
            return new("The token must have no crit: no extension is understood");
        }

        return parameters.ValidAlgorithms.Contains(token.Alg, StringComparer.Ordinal)
            ? null
            : new("The token's alg must be " + string.Join(", ", parameters.ValidAlgorithms));
    }
}

/// <summary>The token's header is not such as is taken.</summary>
/// <param name="reason">Why, and what is: a fixed text, told to clients.</param>
internal sealed class RefusedHeaderException(string reason) : SecurityTokenException(reason);

/// <summary>The token cannot be judged: the issuer's keys could not be had.</summary>
internal sealed class IssuerUnavailableException() : SecurityTokenException("The issuer's keys could not be fetched.");
