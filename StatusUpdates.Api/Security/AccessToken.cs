using System.Globalization;
using System.Security.Claims;
using Microsoft.IdentityModel.JsonWebTokens;

namespace StatusUpdates.Api.Security;

/// <summary>A validated access token: whose it is and until when it holds, without the clock skew that validation allows.</summary>
/// <param name="UserId">The <c>sub</c> claim.</param>
/// <param name="ExpiresAt">The <c>exp</c> claim.</param>
internal sealed record AccessToken(string UserId, DateTimeOffset ExpiresAt)
{
    /// <summary>The <c>iat</c> claim, if there is a usable one.</summary>
    public DateTimeOffset? IssuedAt { get; init; }

    /// <summary>The token behind a set of claims; null if they name no valid user or no expiry.</summary>
    public static AccessToken? Of(ClaimsIdentity? claims)
    {
        if (claims is null
            || UserOf(claims) is not { } userId
            || !long.TryParse(
                claims.FindFirst(JwtRegisteredClaimNames.Exp)?.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var exp)
            || exp > DateTimeOffset.MaxValue.ToUnixTimeSeconds())
        {
            return null;
        }

        return new(userId, DateTimeOffset.FromUnixTimeSeconds(exp)) { IssuedAt = IssuedAtOf(claims) };
    }

    /// <summary>Claims of which <see cref="Of"/> makes this token again.</summary>
    public ClaimsIdentity ToClaims(string authenticationType)
    {
        var claims = new ClaimsIdentity(authenticationType, JwtRegisteredClaimNames.Sub, roleType: null);
        claims.AddClaim(new(JwtRegisteredClaimNames.Sub, UserId));
        claims.AddClaim(TimeClaim(JwtRegisteredClaimNames.Exp, ExpiresAt));
        if (IssuedAt is { } issuedAt)
        {
            claims.AddClaim(TimeClaim(JwtRegisteredClaimNames.Iat, issuedAt));
        }

        return claims;
    }

    private static Claim TimeClaim(string type, DateTimeOffset time) =>
        new(type, time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture), ClaimValueTypes.Integer64);

    private static DateTimeOffset? IssuedAtOf(ClaimsIdentity claims) =>
        long.TryParse(claims.FindFirst(JwtRegisteredClaimNames.Iat)?.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var issued)
            && issued <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? DateTimeOffset.FromUnixTimeSeconds(issued)
            : null;

    // A StringOrURI by RFC 7519, section 4.1.2. A list shows as several claims, an object as one of another value type.
    private static string? UserOf(ClaimsIdentity claims)
    {
        Claim? subject = null;
        foreach (var claim in claims.FindAll(JwtRegisteredClaimNames.Sub))
        {
            if (subject is not null || claim.ValueType != ClaimValueTypes.String)
            {
                return null;
            }

            subject = claim;
        }

        return UserIds.IsValid(subject?.Value) ? subject!.Value : null;
    }
}

internal static class AccessTokenExtensions
{
    /// <summary>The caller's user id. Only behind <c>RequireAuthorization</c>.</summary>
    public static string GetUserId(this ClaimsPrincipal principal) => principal.GetAccessToken().UserId;

    /// <summary>The caller's token. Only behind <c>RequireAuthorization</c>.</summary>
    /// <exception cref="InvalidOperationException">The request was not authenticated.</exception>
    public static AccessToken GetAccessToken(this ClaimsPrincipal principal) =>
        AccessToken.Of(principal.Identity as ClaimsIdentity)
        ?? throw new InvalidOperationException("The request was not authenticated by an access token.");
}
