using StatusUpdates.Api.Bot;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.OpenApi;
using StatusUpdates.Api.RateLimiting;
using StatusUpdates.Api.Results;
using StatusUpdates.Api.Security;
using StatusUpdates.Api.Security.DevTokens;
using StatusUpdates.Api.Security.Tickets;
using StatusUpdates.Api.Transports;
using StatusUpdates.Api.Webhooks;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api;

internal static class Program
{
    public static Task<int> Main(string[] args) => ServiceRun.RunAsync(() => Build(new() { Args = args }));

    /// <summary>The API, ready to run. Tests add their settings by <paramref name="configure"/>, before anything is registered.</summary>
    public static WebApplication Build(WebApplicationOptions options, Action<WebApplicationBuilder>? configure = null)
    {
        var builder = WebApplication.CreateBuilder(options);
        configure?.Invoke(builder);

        builder.AddServiceDefaults();
        builder.AddRedisClient("redis");
        var database = builder.AddStatusDatabase("statusdb");
        builder.AddNpgsqlDbContext<StatusDbContext>("statusdb", configureDbContextOptions: database.Configure);
        builder.AddStatusMessaging();

        builder.AddHttpDefaults();
        builder.AddProxies();
        builder.AddCrossOrigin();
        builder.AddErrors();
        builder.AddSecurity();
        builder.AddRateLimits();
        builder.AddApiDescription();
        builder.AddGenerations();
        builder.AddResults();
        builder.AddFeeds();
        builder.AddTransports();
        builder.AddWebhooks();
        builder.AddBotLinks();

        var app = builder.Build();

        // Order: who it really is; problems for whatever follows, which pages of other origins can read; static files free of limits; addresses counted
        // before tokens are believed, users after; what a body is, before it is read.
        app.UseProxies();
        app.UseAnswerHeaders();
        app.UseErrors();
        app.UseCrossOrigin();
        app.UseDefaultFiles();
        app.UseStaticFiles();
        app.UseRouting();
        app.UseAddressRateLimit();
        app.UseAuthentication();
        app.UseUserRateLimit();
        app.UseAuthorization();
        app.UseRequestTimeouts();
        app.UseJsonBodies();

        app.MapDefaultEndpoints();
        app.MapApiDescription();
        app.MapDevTokens();
        app.MapTickets();
        app.MapGenerations();
        app.MapResults();
        app.MapTransports();
        app.MapWebhooks();
        app.MapBotLinks();
        return app;
    }
}
