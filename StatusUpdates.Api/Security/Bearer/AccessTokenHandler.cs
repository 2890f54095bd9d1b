using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace StatusUpdates.Api.Security.Bearer;

/// <summary>
/// Validates access tokens: first the header by RFC 8725 and RFC 9068, then everything else as the library does. Before a token is refused for an
/// unknown key, the issuer's keys are fetched again. Thread-safe.
/// </summary>
internal sealed class AccessTokenHandler : JsonWebTokenHandler
{
    // "application/" may precede them (RFC 7515, section 4.1.9). A missing typ is accepted too: many issuers omit it.
    private static readonly string[] Types = ["at+jwt", "JWT", "application/at+jwt", "application/JWT"];

    public AccessTokenHandler() => MapInboundClaims = false;

    /// <summary>Fails with <see cref="IssuerUnavailableException"/> if the token could not be checked, with another exception if it is invalid.</summary>
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
        while (result.Exception is SecurityTokenSignatureKeyNotFoundException && !issuer.WasRequestedSince(arrivedAt))
        {
            // A joined fetch may have begun before the issuer published the key. The next fetch cannot have.
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
        // Another kind of token, signed with the same key, must not grant access (RFC 8725, section 3.11).
        if (token.TryGetHeaderValue<object>(JwtHeaderParameterNames.Typ, out _) && !Types.Contains(token.Typ, StringComparer.OrdinalIgnoreCase))
        {
            return new("The token's typ must be at+jwt or JWT, or absent");
        }

        // Extensions in crit must be understood (RFC 7515, section 4.1.11), and none is supported.
        if (token.TryGetHeaderValue<object>("crit", out _))
        {
            return new("The token must have no crit: no extension is supported");
        }

        return parameters.ValidAlgorithms.Contains(token.Alg, StringComparer.Ordinal)
            ? null
            : new("The token's alg must be " + string.Join(", ", parameters.ValidAlgorithms));
    }
}

/// <summary>The token's header is not acceptable.</summary>
/// <param name="reason">What must be different: a fixed text, shown to clients.</param>
internal sealed class RefusedHeaderException(string reason) : SecurityTokenException(reason);

/// <summary>The token cannot be checked: the issuer's keys could not be fetched.</summary>
internal sealed class IssuerUnavailableException() : SecurityTokenException("The issuer's keys could not be fetched.");
