using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Hosting;

/// <summary>
/// Forwarded headers of known proxies alone. <c>ASPNETCORE_FORWARDEDHEADERS_ENABLED=true</c> has ASP.NET Core believe them of everybody, and
/// Aspire sets it on whatever it publishes; here it is the switch, and <see cref="ProxyOptions"/> says whom.
/// </summary>
internal static partial class Proxies
{
    private const string Switch = "FORWARDEDHEADERS_ENABLED";

    public static void AddProxies(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<IValidateOptions<ProxyOptions>>(new ProxyOptions());
        services.AddOptions<ProxyOptions>().BindConfiguration(ProxyOptions.SectionName).ValidateOnStart();

        // After ASP.NET Core's own setup, which forgets whom it knew.
        services.AddOptions<ForwardedHeadersOptions>().PostConfigure<IOptions<ProxyOptions>>((forwarded, known) => Configure(forwarded, known.Value));
    }

    /// <summary>Order: before everything, because all that follows goes by address and scheme.</summary>
    public static void UseProxies(this WebApplication app)
    {
        var isOn = string.Equals(app.Configuration[Switch], "true", StringComparison.OrdinalIgnoreCase);
        var known = app.Services.GetRequiredService<IOptionsMonitor<ProxyOptions>>();
        app.Lifetime.ApplicationStarted.Register(() =>
        {
            if (isOn && known.CurrentValue.IsEmpty)
            {
                LogNobodyKnown(app.Logger);
            }
        });
        if (!isOn)
        {
            // With the variable ASP.NET Core has put this first already.
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
                // ASP.NET Core's own default: a proxy beside the process.
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

        foreach (var proxy in known.Proxies())
        {
            forwarded.KnownProxies.Add(proxy);
        }

        // Back through as many as are known: the client is the first address that no known proxy has.
        forwarded.ForwardLimit = null;
    }

    [LoggerMessage(
        1201,
        LogLevel.Warning,
        "ASPNETCORE_FORWARDEDHEADERS_ENABLED is true, but neither ForwardedHeaders:KnownNetworks nor :KnownProxies is set: X-Forwarded-For and -Proto are "
        + "believed of this machine alone, and all who come through another proxy share one limit by address")]
    private static partial void LogNobodyKnown(ILogger logger);
}
