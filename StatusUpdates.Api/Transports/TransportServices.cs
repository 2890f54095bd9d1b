using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Transports.WebSockets;

namespace StatusUpdates.Api.Transports;

internal static class TransportServices
{
    /// <summary>Adds what carries feeds to clients.</summary>
    public static void AddTransports(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<ConnectionOptions>().BindConfiguration(ConnectionOptions.SectionName).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ConnectionOptions>, ConnectionOptionsValidator>());
        services.AddOptions<StatusSocketOptions>().BindConfiguration(StatusSocketOptions.SectionName).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<StatusSocketOptions>, StatusSocketOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<OriginPolicy>();
        services.AddSingleton<ConnectionRegistry>();
        services.AddSingleton<ConnectionClock>();
        services.AddHostedService(provider => provider.GetRequiredService<ConnectionClock>());
        services.AddHostedService<ConnectionDrain>();
        services.AddSingleton<WebSocketContext>();
    }

    /// <summary>Maps <c>/ws/status</c>.</summary>
    public static void MapTransports(this IEndpointRouteBuilder routes) => routes.MapWebSocket();
}
