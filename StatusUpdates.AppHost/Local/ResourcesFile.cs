using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using StatusUpdates.NativeServers.Hosting;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.AppHost.Local;

/// <summary>
/// Maintains <c>resources.json</c> in the state directory (mode 600: it contains passwords): what is running, its address and its process id, for
/// psql, redis-cli and scripts. The file exists while the application runs.
/// </summary>
internal sealed class ResourcesFile(
    ResourceNotificationService notifications, NativeServerSettings settings, IConfiguration configuration) : BackgroundService
{
    private string PathOfFile => Path.Combine(settings.StateDirectory, "resources.json");

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Directory.CreateDirectory(settings.StateDirectory);

        // A killed run may have left it.
        File.Delete(PathOfFile);
        var written = "";
        try
        {
            await foreach (var instances in notifications.WatchAllAsync(stoppingToken))
            {
                var text = JsonSerializer.Serialize(await DescribeAsync(instances, stoppingToken), ResourcesFileJson.Default.DictionaryStringResourceEntry);
                if (text != written)
                {
                    await PrivateFile.WriteAsync(PathOfFile, written = text, stoppingToken);
                }
            }
        }
        finally
        {
            File.Delete(PathOfFile);
        }
    }

    private async Task<Dictionary<string, ResourceEntry>> DescribeAsync(IEnumerable<ResourceEvent> instances, CancellationToken cancellationToken)
    {
        Dictionary<string, ResourceEntry> entries = [];
        if (StartReport.DashboardOf(configuration) is { } dashboard)
        {
            entries["dashboard"] = new ResourceEntry("dashboard", dashboard, null, null);
        }

        foreach (var replicas in instances.Where(instance => KindOf(instance.Resource) is not null).GroupBy(instance => instance.Resource))
        {
            foreach (var (number, instance) in replicas.Index())
            {
                if (instance.Snapshot.State?.Text == KnownResourceStates.Running)
                {
                    entries[NameOf(replicas.Key, number + 1)] = await DescribeAsync(instance.Resource, instance, cancellationToken);
                }
            }
        }

        return entries;
    }

    private static string NameOf(IResource resource, int number) =>
        resource.GetReplicaCount() == 1 ? resource.Name : string.Create(CultureInfo.InvariantCulture, $"{resource.Name}-{number}");

    private static async Task<ResourceEntry> DescribeAsync(IResource resource, ResourceEvent instance, CancellationToken cancellationToken)
    {
        if (resource is IResourceWithConnectionString server)
        {
            var uri = server.GetConnectionProperties().FirstOrDefault(property => property.Key == "Uri").Value;
            var url = uri is null ? null : await uri.GetValueAsync(cancellationToken);
            return new ResourceEntry(
                KindOf(resource)!,

                // redis-cli treats an empty user name as a name; "default" is understood by every client.
                url?.Replace("redis://:", "redis://default:", StringComparison.Ordinal),
                await server.GetConnectionStringAsync(cancellationToken),
                ProcessOf(instance));
        }

        return new ResourceEntry(KindOf(resource)!, instance.Snapshot.Urls.FirstOrDefault(url => url.Name == "http")?.Url, null, ProcessOf(instance));
    }

    private static string? KindOf(IResource resource) => resource switch
    {
        ProjectResource => "project",
        PostgresDatabaseResource => "database",
        PostgresServerResource => "postgres",
        RedisResource => "redis",
        NativeServerResource native => KindOf(native.Replaced),
        _ => null,
    };

    // What the orchestrator started may be a launcher (a server's guard, `dotnet run` under a debugger), whose first child is the program itself.
    private static int? ProcessOf(ResourceEvent instance)
    {
        var launcher = instance.Snapshot.Properties.FirstOrDefault(property => property.Name == "executable.pid")?.Value switch
        {
            int pid => pid,
            long pid => (int)pid,
            string text when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) => pid,
            _ => (int?)null,
        };
        return launcher is not { } parent ? null
            : OperatingSystem.IsWindows() ? parent
            : ProcessTree.FirstChild(parent) ?? parent;
    }
}

/// <summary>One entry of resources.json.</summary>
internal sealed record ResourceEntry(string Kind, string? Url, string? ConnectionString, int? Pid);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Dictionary<string, ResourceEntry>))]
internal sealed partial class ResourcesFileJson : JsonSerializerContext;
