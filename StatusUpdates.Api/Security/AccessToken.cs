using System.Globalization;
using System.Security.Claims;
using Microsoft.IdentityModel.JsonWebTokens;

namespace StatusUpdates.Api.Security;

/// <summary>A validated access token: its user and its expiry, without the clock skew that validation allows.</summary>
/// <param name="UserId">The <c>sub</c> claim.</param>
/// <param name="ExpiresAt">The <c>exp</c> claim.</param>
internal sealed record AccessToken(string UserId, DateTimeOffset ExpiresAt)
{
    /// <summary>The tolerated difference between the clocks of issuer and API.</summary>
    public static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);

    /// <summary>The <c>iat</c> claim, if it is present and valid.</summary>
    public DateTimeOffset? IssuedAt { get; init; }

    /// <summary>The token that a set of claims came from; null if they have no valid user or no expiry.</summary>
    public static AccessToken? Of(ClaimsIdentity? claims) =>
        claims is not null && UserOf(claims) is { } userId && TimeOf(claims, JwtRegisteredClaimNames.Exp) is { } expiresAt
            ? new(userId, expiresAt) { IssuedAt = TimeOf(claims, JwtRegisteredClaimNames.Iat) }
            : null;

    /// <summary>Claims that <see cref="Of"/> converts back into this token.</summary>
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

    private static DateTimeOffset? TimeOf(ClaimsIdentity claims, string type) =>
        long.TryParse(claims.FindFirst(type)?.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : null;

    // A StringOrURI (RFC 7519, section 4.1.2). A list appears as several claims, an object as a claim of another value type.
    private static string? UserOf(ClaimsIdentity claims) =>
        claims.FindAll(JwtRegisteredClaimNames.Sub).ToArray() is [{ ValueType: ClaimValueTypes.String, Value: var userId }] && UserIds.IsValid(userId)
            ? userId
            : null;
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
