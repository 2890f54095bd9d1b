using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.RateLimiting;

/// <summary>Marks an endpoint whose requests are submissions, which have their own rate limit.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SubmissionRateAttribute : Attribute;

/// <summary>Limits by address, before authentication, and by user or worker, after it. Endpoints opt out with <c>DisableRateLimiting</c>.</summary>
internal static class RateLimitServices
{
    private const string Address = "address";
    private const string User = "user";
    private const string Submissions = "submissions";
    private const string Workers = "workers";

    public static void AddRateLimits(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSectionOptions<RateLimitOptions, RateLimitOptionsValidator>(RateLimitOptions.SectionName);
        services.AddKeyedSingleton(Address, (provider, _) => new RequestLimiter(Address, "requests of this address", Options(provider).Address));
        services.AddKeyedSingleton(User, (provider, _) => new RequestLimiter(User, "requests of this user", Options(provider).User));
        services.AddKeyedSingleton(Workers, (provider, _) => new RequestLimiter(Workers, "requests of workers with this name", Options(provider).Workers));
        services.AddKeyedSingleton(Submissions, (provider, _) => new RequestLimiter(Submissions, "submissions of this user", Options(provider).Submissions));
    }

    /// <summary>Order: after routing and before authentication, so that guessing tokens is limited too.</summary>
    public static void UseAddressRateLimit(this WebApplication app)
    {
        var limiter = app.Services.GetRequiredKeyedService<RequestLimiter>(Address);
        var exemptsLoopback = app.Environment.IsDevelopment();
        app.Use((context, next) =>
        {
            var address = context.Connection.RemoteIpAddress;
            return IsExempt(context) || (exemptsLoopback && address is not null && IPAddress.IsLoopback(address))
                ? next(context)
                : limiter.Check(context, ClientAddress.KeyOf(address))?.ExecuteAsync(context) ?? next(context);
        });
    }

    /// <summary>Order: after authentication.</summary>
    public static void UseUserRateLimit(this WebApplication app)
    {
        var limiter = app.Services.GetRequiredKeyedService<RequestLimiter>(User);
        var workers = app.Services.GetRequiredKeyedService<RequestLimiter>(Workers);
        var submissions = app.Services.GetRequiredKeyedService<RequestLimiter>(Submissions);
        app.Use((context, next) =>
        {
            if (IsExempt(context) || AccessToken.Of(context.User.Identity as ClaimsIdentity) is not { } token)
            {
                return next(context);
            }

            if (WorkerToken.Is(context.User))
            {
                return workers.Check(context, token.UserId)?.ExecuteAsync(context) ?? next(context);
            }

            var refusal = limiter.Check(context, token.UserId);
            if (refusal is null && context.GetEndpoint()?.Metadata.GetMetadata<SubmissionRateAttribute>() is not null)
            {
                refusal = submissions.Check(context, token.UserId);
            }

            return refusal?.ExecuteAsync(context) ?? next(context);
        });
    }

    private static bool IsExempt(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<DisableRateLimitingAttribute>() is not null;

    private static RateLimitOptions Options(IServiceProvider provider) => provider.GetRequiredService<IOptions<RateLimitOptions>>().Value;
}
