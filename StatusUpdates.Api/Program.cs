using StatusUpdates.Api.Bot;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.OpenApi;
using StatusUpdates.Api.RateLimiting;
using StatusUpdates.Api.Results;
using StatusUpdates.Api.Security.Bearer;
using StatusUpdates.Api.Security.DevTokens;
using StatusUpdates.Api.Security.QueryCredentials;
using StatusUpdates.Api.Security.Tickets;
using StatusUpdates.Api.Transports;
using StatusUpdates.Api.Transports.EventStreams;
using StatusUpdates.Api.Transports.LongPolling;
using StatusUpdates.Api.Transports.WebSockets;
using StatusUpdates.Api.Webhooks;
using StatusUpdates.Api.Workers;
using StatusUpdates.Data;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.ServiceDefaults.Hosting;

namespace StatusUpdates.Api;

internal static class Program
{
    public static Task<int> Main(string[] args) => ServiceRun.RunAsync(() => Build(new() { Args = args }));

    /// <summary>Builds the API, ready to run. Tests add settings by <paramref name="configure"/>, before anything is registered.</summary>
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
        builder.AddApiJson();
        builder.AddProxies();
        builder.AddCrossOrigin();
        builder.AddErrors();
        builder.AddQueryCredentials();
        builder.AddBearerTokens();
        builder.AddDevTokens();
        builder.AddTickets();
        builder.AddRateLimits();
        builder.AddApiDescription();
        builder.AddGenerations();
        builder.AddResults();
        builder.AddFeeds();
        builder.AddConnections();
        builder.AddWebhooks();
        builder.AddBotLinks();
        builder.AddRemoteWorkers();

        var app = builder.Build();

        // Order: the client's real address; problem responses for all that follows, readable by pages of other origins; static files, without rate
        // limits; the limit by address before tokens are validated, the limit by user after; the body's charset before the body is read.
        app.UseProxies();
        app.UseResponseHeaders();
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
        app.MapWebSocket();
        app.MapEventStreams();
        app.MapPoll();
        app.MapWebhooks();
        app.MapBotLinks();
        app.MapRemoteWorkers();
        return app;
    }
}
