using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;

namespace StatusUpdates.Api.Security.Bearer;

internal static class BearerServices
{
    /// <summary>
    /// Authenticates requests by access tokens. By default users' tokens are authorized, and workers' by the policy <see cref="WorkerToken.Scope"/>.
    /// </summary>
    public static void AddBearerTokens(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer();
        services.AddAuthorizationBuilder()
            .SetDefaultPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().RequireAssertion(context => !WorkerToken.Is(context.User)).Build())
            .AddPolicy(WorkerToken.Scope, policy => policy.RequireAuthenticatedUser().RequireAssertion(context => WorkerToken.Is(context.User)));
        services.AddSingleton<AccessTokenValidator>();
        services.ConfigureOptions<BearerOptionsSetup>();
        services.AddOptions<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme).ValidateOnStart();
    }
}
