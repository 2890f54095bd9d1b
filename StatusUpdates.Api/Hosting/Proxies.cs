using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Hosting;

/// <summary>
/// Accepts forwarded headers from known proxies only: those in <see cref="ProxyOptions"/>. By itself, ASP.NET Core accepts them from everyone if
/// <c>ASPNETCORE_FORWARDEDHEADERS_ENABLED</c> is true, which Aspire sets on everything that it publishes. Here the variable matters only if no
/// proxy is configured: then a proxy on the same machine is trusted.
/// </summary>
internal static partial class Proxies
{
    // The configuration key of the environment variable: ASP.NET Core strips the prefix.
    private const string Switch = "FORWARDEDHEADERS_ENABLED";

    public static void AddProxies(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSectionOptions<ProxyOptions>(ProxyOptions.SectionName);

        // Post-configured, because ASP.NET Core's own setup (if the variable is set) clears the known proxies.
        services.AddOptions<ForwardedHeadersOptions>().PostConfigure<IOptions<ProxyOptions>>((forwarded, known) => Configure(forwarded, known.Value));
    }

    /// <summary>Order: first, because everything after it depends on the client's address and scheme.</summary>
    public static void UseProxies(this WebApplication app)
    {
        var isOn = string.Equals(app.Configuration[Switch], "true", StringComparison.OrdinalIgnoreCase);
        var known = app.Services.GetRequiredService<IOptionsMonitor<ProxyOptions>>();
        app.Lifetime.ApplicationStarted.Register(() =>
        {
            if (isOn && known.CurrentValue.IsEmpty)
            {
                LogNoKnownProxies(app.Logger);
            }
        });

        // With the variable set, ASP.NET Core has already added this middleware, before all others.
        if (!isOn)
        {
            app.UseForwardedHeaders();
        }
    }

    private static void Configure(ForwardedHeadersOptions forwarded, ProxyOptions known)
    {
        var isOn = forwarded.ForwardedHeaders != ForwardedHeaders.None;
        forwarded.KnownIPNetworks.Clear();
        forwarded.KnownProxies.Clear();
        if (known.IsEmpty)
        {
            if (isOn)
            {
                // ASP.NET Core's default: a proxy on the same machine.
                forwarded.KnownIPNetworks.Add(new(System.Net.IPAddress.Loopback, 8));
                forwarded.KnownProxies.Add(System.Net.IPAddress.IPv6Loopback);
            }

            return;
        }

        forwarded.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto;
        foreach (var network in known.Networks())
        {
            forwarded.KnownIPNetworks.Add(network);
        }

        // From right to left, past all known proxies: the client is the first address that is not a known proxy's.
        forwarded.ForwardLimit = null;
    }

    [LoggerMessage(
        1201,
        LogLevel.Warning,
        "ASPNETCORE_FORWARDEDHEADERS_ENABLED is true, but ForwardedHeaders:KnownNetworks is not set: X-Forwarded-For and -Proto are "
        + "accepted from this machine only, and all clients behind another proxy share one rate limit by address")]
    private static partial void LogNoKnownProxies(ILogger logger);
}
