using System.Security.Cryptography;
using StatusUpdates.LocalHosting.Hosting;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>The variables that a project's process is given: those that Aspire gives, as far as they mean something here.</summary>
internal static class ProjectEnvironment
{
    // What the AppHost's own start left in the environment and would mislead a child. null removes.
    private static readonly string[] NotForChildren =
        ["ASPNETCORE_URLS", "URLS", "HTTP_PORTS", "HTTPS_PORTS", "ASPNETCORE_HTTP_PORTS", "ASPNETCORE_HTTPS_PORTS", "DOTNET_LAUNCH_PROFILE"];

    /// <summary>Waits, where needed, until the resources referred to have their addresses.</summary>
    public static async Task<Dictionary<string, string?>> BuildAsync(ProjectResource project, CancellationToken cancellationToken)
    {
        var variables = NotForChildren.ToDictionary(name => name, _ => (string?)null, StringComparer.Ordinal);
        foreach (var (name, value) in project.LaunchProfile?.Environment ?? new Dictionary<string, string>())
        {
            variables[name] = value;
        }

        if (project.Endpoints.Count > 0)
        {
            variables["ASPNETCORE_URLS"] = string.Join(';', project.Endpoints.Select(endpoint => endpoint.Url));
        }

        // One line an entry, for they are shown behind the resource's name.
        variables["Logging__Console__FormatterName"] = "simple";
        variables["Logging__Console__FormatterOptions__SingleLine"] = "true";

        // OTEL_EXPORTER_OTLP_* need no mention: the user's environment is inherited.
        variables["OTEL_SERVICE_NAME"] = project.Name;
        variables["OTEL_RESOURCE_ATTRIBUTES"] = ResourceAttributes();
        if (variables.Contains(new("ASPNETCORE_ENVIRONMENT", "Development")) || variables.Contains(new("DOTNET_ENVIRONMENT", "Development")))
        {
            variables["OTEL_BLRP_SCHEDULE_DELAY"] = "1000"; // ms, as are the next two
            variables["OTEL_BSP_SCHEDULE_DELAY"] = "1000";
            variables["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
            variables["OTEL_TRACES_SAMPLER"] = "always_on";
        }

        foreach (var add in project.Environment)
        {
            await add(variables, cancellationToken);
        }

        return variables;
    }

    private static string ResourceAttributes()
    {
        var own = $"service.instance.id={RandomNumberGenerator.GetHexString(8, lowercase: true)}";
        return Environment.GetEnvironmentVariable("OTEL_RESOURCE_ATTRIBUTES") is { Length: > 0 } users ? $"{users},{own}" : own;
    }
}
