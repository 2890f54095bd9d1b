using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Worker;

/// <summary>
/// What an <c>appsettings.json</c> of the worker would contain. In code, so that it applies to the worker of every project, and the project's own
/// file, like any other source of configuration, overrides it.
/// </summary>
internal static class WorkerDefaults
{
    private static readonly Dictionary<string, string?> LogLevels = new()
    {
        ["Logging:LogLevel:Default"] = "Information",
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore"] = "Warning",
        ["Logging:LogLevel:StackExchange.Redis"] = "Warning",
        ["Logging:LogLevel:System.Net.Http.HttpClient"] = "Warning",
    };

    // In Development, the receivers of webhooks and the servers of providers run on the same machine.
    private static readonly Dictionary<string, string?> Development = new()
    {
        ["Webhooks:AllowedNetworks:0"] = "127.0.0.0/8",
        ["Webhooks:AllowedNetworks:1"] = "::1/128",
        ["Results:AllowedNetworks:0"] = "127.0.0.0/8",
        ["Results:AllowedNetworks:1"] = "::1/128",
    };

    public static void AddWorkerDefaults(this IHostApplicationBuilder builder)
    {
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = LogLevels });
        if (builder.Environment.IsDevelopment())
        {
            builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = Development });
        }
    }
}
