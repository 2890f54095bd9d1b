using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace StatusUpdates.Api.Security.DevTokens;

/// <summary>Signs tokens for any user, and any worker, with the configured signing key: development only. Thread-safe.</summary>
internal sealed class DevTokenIssuer(IOptionsMonitor<JwtBearerOptions> bearer, TimeProvider time)
{
    // A working day.
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    private static readonly JsonWebTokenHandler Handler = new() { SetDefaultTimesOnTokenCreation = false };

    private TokenValidationParameters Parameters => bearer.Get(JwtBearerDefaults.AuthenticationScheme).TokenValidationParameters;

    /// <summary>Whether there is a key to sign with.</summary>
    public bool CanIssue => Parameters.IssuerSigningKeys?.Any() is true;

    /// <summary>A user's token.</summary>
    public DevToken Issue(string userId) => Issue(new Dictionary<string, object> { [JwtRegisteredClaimNames.Sub] = userId });

    /// <summary>A worker's token, for these tasks.</summary>
    public DevToken IssueForWorker(string name, IReadOnlyList<string> tasks) => Issue(new Dictionary<string, object>
    {
        [JwtRegisteredClaimNames.Sub] = name,
        ["scope"] = WorkerToken.Scope,
        [WorkerToken.Tasks] = tasks,
    });

    private DevToken Issue(Dictionary<string, object> claims)
    {
        var parameters = Parameters;

        // A token's times are whole seconds (RFC 7519, section 2): the response states the same times as the token.
        var now = DateTimeOffset.FromUnixTimeSeconds(time.GetUtcNow().ToUnixTimeSeconds());
        var expiresAt = now + Lifetime;
        var token = Handler.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = parameters.ValidIssuer ?? parameters.ValidIssuers.First(),
            Audience = parameters.ValidAudience ?? parameters.ValidAudiences.First(),
            Claims = claims,
            IssuedAt = now.UtcDateTime,
            NotBefore = now.UtcDateTime,
            Expires = expiresAt.UtcDateTime,
            SigningCredentials = new(parameters.IssuerSigningKeys.First(), SecurityAlgorithms.HmacSha256),
        });
        return new(token, expiresAt);
    }
}
