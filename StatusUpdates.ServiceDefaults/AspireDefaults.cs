using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.ServiceDefaults;

/// <summary>
/// What this system wants of Aspire's client integrations beside their own defaults. Behind all other sources of configuration: whoever sets
/// these keys has their way.
/// </summary>
internal static class AspireDefaults
{
    private static readonly Dictionary<string, string?> Settings = new()
    {
        // Publishes have spans of their own, in their updates' traces; commands would be traces of their own beside them.
        ["Aspire:StackExchange:Redis:DisableTracing"] = "true",

        // It repeats its question for half a minute before it admits that the database is away. The data side brings one that does not.
        ["Aspire:Npgsql:EntityFrameworkCore:PostgreSQL:DisableHealthChecks"] = "true",
    };

    public static void AddAspireDefaults(this IHostApplicationBuilder builder) =>
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = Settings });
}
