using Microsoft.AspNetCore.Authentication.JwtBearer;

namespace StatusUpdates.Api.Security.Bearer;

internal static class BearerServices
{
    /// <summary>Authenticates requests by access tokens, and authorizes those that are authenticated.</summary>
    public static void AddBearerTokens(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer();
        services.AddAuthorization();
        services.AddSingleton<AccessTokenValidator>();
        services.ConfigureOptions<BearerOptionsSetup>();
        services.AddOptions<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme).ValidateOnStart();
    }
}
