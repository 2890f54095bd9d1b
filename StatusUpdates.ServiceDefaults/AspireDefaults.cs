using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.ServiceDefaults;

/// <summary>
/// Settings of Aspire's client integrations that differ from their defaults. They have the lowest priority of all configuration sources: any other
/// source overrides them.
/// </summary>
internal static class AspireDefaults
{
    private static readonly Dictionary<string, string?> Settings = new()
    {
        // Publishing has spans of its own, in the updates' traces; Redis commands would only add separate traces.
        ["Aspire:StackExchange:Redis:DisableTracing"] = "true",

        // It retries for half a minute before it reports that the database is unavailable. StatusUpdates.Data adds a check that does not.
        ["Aspire:Npgsql:EntityFrameworkCore:PostgreSQL:DisableHealthChecks"] = "true",
    };

    public static void AddAspireDefaults(this IHostApplicationBuilder builder) =>
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = Settings });
}
