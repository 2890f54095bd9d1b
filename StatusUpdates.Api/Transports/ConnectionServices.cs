using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Transports;

internal static class ConnectionServices
{
    // Time for the services that stop after the connections.
    private static readonly TimeSpan StopMargin = TimeSpan.FromSeconds(10);

    /// <summary>Adds what the connections of all transports need.</summary>
    public static void AddConnections(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSectionOptions<ConnectionOptions, ConnectionOptionsValidator>(ConnectionOptions.SectionName);
        services.AddListenSockets();
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
        services.AddSingleton<ConnectionLifecycle>();
    }

    /// <summary>What the endpoints of all transports have in common.</summary>
    public static void ServesFeed(this RouteHandlerBuilder builder) => builder
        .ProducesProblems(
            StatusCodes.Status400BadRequest,
            StatusCodes.Status401Unauthorized,
            StatusCodes.Status429TooManyRequests,
            StatusCodes.Status503ServiceUnavailable)
        .RequireAuthorization()
        .DisableRequestTimeout();
}
