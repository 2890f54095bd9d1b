using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace StatusUpdates.ServiceDefaults.Health;

/// <summary>
/// Serves <c>/health</c> and <c>/alive</c> to probes in a service that has no other HTTP server. As in ASP.NET Core, <c>ASPNETCORE_URLS</c> or
/// <c>HTTP_PORTS</c> says where it listens; without them it does not. A bare Kestrel instead of a second host, which would handle the first one's
/// process signals.
/// Lifecycle: registered before the services that do the work, so it stops after them.
/// </summary>
internal sealed partial class HealthListener(
    IConfiguration configuration, IHostEnvironment environment, ILoggerFactory loggers, IServiceProvider services)
    : IHostedService, IDisposable
{
    private const int MaxConnections = 100;

    private readonly ILogger _logger = loggers.CreateLogger<HealthListener>();
    private KestrelServer? _server;

    /// <summary>The addresses on which it listens; empty while it does not.</summary>
    public IReadOnlyCollection<string> Addresses => [.. _server?.Features.Get<IServerAddressesFeature>()?.Addresses ?? []];

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var addresses = AddressesOf(configuration);
        if (addresses.Count == 0)
        {
            return;
        }

        var options = new KestrelServerOptions { ApplicationServices = services, AddServerHeader = false };
        options.Limits.MaxConcurrentConnections = MaxConnections;
        options.Limits.MaxRequestBodySize = 0;
        options.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        options.ConfigureEndpointDefaults(listen => listen.Protocols = HttpProtocols.Http1);
        _server = new KestrelServer(
            Options.Create(options), new SocketTransportFactory(Options.Create(new SocketTransportOptions()), loggers), loggers);
        var listening = _server.Features.Get<IServerAddressesFeature>()!.Addresses;
        addresses.ForEach(listening.Add);
        await _server.StartAsync(new Application(HealthEndpoints.Build(services, environment.IsDevelopment())), cancellationToken);
        LogListening(string.Join(", ", listening));
    }

    public Task StopAsync(CancellationToken cancellationToken) => _server?.StopAsync(cancellationToken) ?? Task.CompletedTask;

    public void Dispose() => _server?.Dispose();

    /// <summary>The configured addresses: the URLs if there are any, else all addresses of the machine with the configured ports.</summary>
    /// <exception cref="InvalidOperationException">A configured address or port is invalid.</exception>
    internal static List<string> AddressesOf(IConfiguration configuration)
    {
        // A host without ASP.NET Core does not remove the prefix.
        if (First(configuration, "URLS", "ASPNETCORE_URLS") is (var urlsKey, var urls))
        {
            return [.. urls.Select(url => IsPlainHttp(url)
                ? url
                : throw new InvalidOperationException($"{urlsKey} must be http addresses, such as http://*:8080: they are only for health probes, without TLS."))];
        }

        return First(configuration, "HTTP_PORTS", "ASPNETCORE_HTTP_PORTS") is (var portsKey, var ports)
            ? [.. ports.Select(text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= IPEndPoint.MaxPort
                ? string.Create(CultureInfo.InvariantCulture, $"http://*:{port}")
                : throw new InvalidOperationException($"{portsKey} must be ports between 0 and {IPEndPoint.MaxPort}, separated by semicolons."))]
            : [];
    }

    private static (string Key, string[] Values)? First(IConfiguration configuration, params string[] keys)
    {
        foreach (var key in keys)
        {
            if (configuration[key]?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is { Length: > 0 } values)
            {
                return (key, values);
            }
        }

        return null;
    }

    private static bool IsPlainHttp(string url)
    {
        try
        {
            return BindingAddress.Parse(url) is { Scheme: "http", PathBase: "" };
        }
        catch (FormatException)
        {
            return false;
        }
    }

    [LoggerMessage(6001, LogLevel.Information, "Health probes are served at {Addresses}")]
    private partial void LogListening(string addresses);

    private sealed class Application(RequestDelegate answer) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context) => answer(context);

        public void DisposeContext(HttpContext context, Exception? exception)
        {
            // The context holds no resources.
        }
    }
}
