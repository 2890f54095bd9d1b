using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;

namespace StatusUpdates.Api.Security.Bearer;

/// <summary>Validates a token that was not part of a request's credentials, by the same rules as one that was. Thread-safe.</summary>
internal sealed class AccessTokenValidator(IOptionsMonitor<JwtBearerOptions> options)
{
    /// <summary>The user's token, or null if it is not valid now, or is a worker's.</summary>
    public async Task<AccessToken?> ValidateAsync(string token, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var bearer = options.Get(JwtBearerDefaults.AuthenticationScheme);
        var parameters = bearer.TokenValidationParameters.Clone();
        parameters.ConfigurationManager = bearer.ConfigurationManager as BaseConfigurationManager;
        var result = await bearer.TokenHandlers.Single().ValidateTokenAsync(token, parameters);
        return result.IsValid && !WorkerToken.Is(result.ClaimsIdentity) ? AccessToken.Of(result.ClaimsIdentity) : null;
    }
}
