using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Data;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.Webhooks;

namespace StatusUpdates.Benchmarks.Webhooks;

/// <summary>Only the webhook delivery of the worker: the process's resource usage is that of the deliveries.</summary>
internal static class DeliveryHost
{
    /// <summary>The name of this helper.</summary>
    public const string Command = "run-webhooks";

    public static Task RunAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.AddServiceDefaults();
        builder.AddRedisClient("redis");
        var database = builder.AddStatusDatabase("statusdb");
        builder.AddNpgsqlDbContext<StatusDbContext>("statusdb", configureDbContextOptions: database.Configure);
        builder.AddStatusMessaging();
        builder.AddWebhookDelivery();
        var app = builder.Build();
        app.MapGet("/ready", () => "ready");
        return app.RunAsync();
    }

    public static Task<ServerProcess> StartAsync(BenchmarkSystem system, CancellationToken cancellationToken) =>
        ServerProcess.StartHelperAsync(Command, cancellationToken, new Dictionary<string, string>
        {
            ["ConnectionStrings__statusdb"] = system.Database,
            ["ConnectionStrings__redis"] = system.Redis,
            ["Webhooks__AllowHttp"] = "true",
            ["Webhooks__AllowedNetworks__0"] = "127.0.0.0/8",

            // All receivers share one address here.
            ["Webhooks__Delivery__AddressInFlight"] = "10000",
        });
}
