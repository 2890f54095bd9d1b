using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Transports.EventStreams;
using StatusUpdates.Api.Transports.LongPolling;
using StatusUpdates.Api.Transports.WebSockets;

namespace StatusUpdates.Api.Transports;

internal static class TransportServices
{
    // For what is stopped after the connections.
    private static readonly TimeSpan StopMargin = TimeSpan.FromSeconds(10);

    /// <summary>Adds what carries feeds to clients.</summary>
    public static void AddTransports(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSectionOptions<ConnectionOptions, ConnectionOptionsValidator>(ConnectionOptions.SectionName);
        services.AddSectionOptions<StatusSocketOptions, StatusSocketOptionsValidator>(StatusSocketOptions.SectionName);
        services.AddListenSockets();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<OriginPolicy>();
        services.AddSingleton<ConnectionRegistry>();
        services.AddSingleton<ConnectionClock>();
        services.AddHostedService(provider => provider.GetRequiredService<ConnectionClock>());
        services.AddHostedService<ConnectionDrain>();
        services.AddOptions<HostOptions>().PostConfigure<IOptions<ConnectionOptions>>((host, connections) =>
        {
            var needed = connections.Value.DrainTime + connections.Value.CloseTimeout + StopMargin;
            host.ShutdownTimeout = needed > host.ShutdownTimeout ? needed : host.ShutdownTimeout;
        });
        services.AddSingleton<ConnectionContext>();
        services.AddSingleton<WebSocketContext>();
        services.ConfigureHttpJsonOptions(
            options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, LongPollingJsonContext.Default));
    }

    /// <summary>Maps WebSocket, server-sent events and long-poll.</summary>
    public static void MapTransports(this IEndpointRouteBuilder routes)
    {
        routes.MapWebSocket();
        routes.MapEventStreams();
        routes.MapPoll();
    }
}
