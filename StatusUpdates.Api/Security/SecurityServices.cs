using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Security.DevTokens;
using StatusUpdates.Api.Security.QueryCredentials;
using StatusUpdates.Api.Security.Tickets;

namespace StatusUpdates.Api.Security;

internal static class SecurityServices
{
    public static void AddSecurity(this WebApplicationBuilder builder)
    {
        builder.AddQueryCredentials();

        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer();
        services.AddAuthorization();
        services.AddSingleton<AccessTokenValidator>();
        services.AddSingleton<BearerOptionsSetup>();
        services.AddSingleton<IPostConfigureOptions<JwtBearerOptions>>(provider => provider.GetRequiredService<BearerOptionsSetup>());
        services.AddSingleton<IValidateOptions<JwtBearerOptions>>(provider => provider.GetRequiredService<BearerOptionsSetup>());
        services.AddOptions<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme).ValidateOnStart();

        builder.AddDevTokens();
        builder.AddTickets();
    }
}
