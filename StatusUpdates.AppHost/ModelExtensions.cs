using System.Globalization;
using Microsoft.Extensions.Configuration;
using StatusUpdates.AppHost.Local;
using StatusUpdates.NativeServers.Hosting;

#pragma warning disable ASPIREPROBES001 // WithHttpProbe is marked as experimental.

namespace Aspire.Hosting;

/// <summary>Extension methods for AppHost.cs.</summary>
internal static class ModelExtensions
{
    private const string TelegramTokenParameter = "telegram-bot-token";

    /// <summary>Adds database and Redis. A service waits for both only for a clean start; in operation it can do without Redis.</summary>
    public static IResourceBuilder<ProjectResource> WithServers(
        this IResourceBuilder<ProjectResource> service, IResourceBuilder<IResourceWithConnectionString> db, IResourceBuilder<RedisResource> redis) =>
        service.RunBuiltProgram().WithReference(db).WithReference(redis).WaitFor(db).WaitFor(redis);

    /// <summary>
    /// In a local run: limits to 1 s (instead of 10 s) how long a stopping process tries to export telemetry to a dashboard that may be gone already,
    /// because the orchestrator kills a process that has not exited 6 s after SIGTERM.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithQuickStop(this IResourceBuilder<ProjectResource> service, params (string Name, string Value)[] settings)
    {
        if (service.ApplicationBuilder.ExecutionContext.IsRunMode)
        {
            foreach (var (name, value) in settings.Append(("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"))) // ms
            {
                service.WithEnvironment(name, value);
            }
        }

        return service;
    }

    /// <summary>Passes on the types of generations, which API and workers must have the same, from the app host's own settings.</summary>
    public static IResourceBuilder<ProjectResource> WithTypes(this IResourceBuilder<ProjectResource> service)
    {
        foreach (var (key, value) in service.ApplicationBuilder.Configuration.GetSection("Generations").AsEnumerable())
        {
            if (value is not null)
            {
                service.WithEnvironment(key.Replace(":", "__", StringComparison.Ordinal), value);
            }
        }

        return service;
    }

    /// <summary>
    /// Adds <c>/health</c> (whether it can serve) and <c>/alive</c> (whether it answers at all). A service without an endpoint gets one for them.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithProbes(this IResourceBuilder<ProjectResource> service)
    {
        if (!service.Resource.Annotations.OfType<EndpointAnnotation>().Any(endpoint => endpoint.Name == "http"))
        {
            service.WithHttpEndpoint(name: "http").WithUrlForEndpoint("http", url => (url.Url, url.DisplayText) = ("/health", "Health"));
        }

        // A service listens only once it has its database: the limit is longer than it waits for that and for a migration. An annotation, because
        // WithHttpProbe also adds a health check, and accepts each path for one probe only.
        service.WithAnnotation(new EndpointProbeAnnotation
        {
            Type = ProbeType.Startup,
            EndpointReference = service.GetEndpoint("http"),
            Path = "/alive",
            PeriodSeconds = 5,
            TimeoutSeconds = 1,
            FailureThreshold = 60,
            SuccessThreshold = 1,
        });
        if (service.ApplicationBuilder.ExecutionContext.IsRunMode && service.ApplicationBuilder.Configuration[$"Ports:{service.Resource.Name}"] is { Length: > 0 } port)
        {
            service.WithEndpoint("http", endpoint => endpoint.Port = ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
                ? number
                : throw new DistributedApplicationException($"Ports:{service.Resource.Name} is '{port}'; it must be a port, 1 to 65535."));
        }

        return service.WithHttpProbe(ProbeType.Readiness, "/health", endpointName: "http").WithHttpProbe(ProbeType.Liveness, "/alive", endpointName: "http");
    }

    /// <summary>
    /// The place of results larger than 256 KiB, as settings of the services. In a local run it is a folder next to the servers' files. When publishing,
    /// the deployment is asked for a folder, or, with <c>Results=s3</c>, for a bucket.
    /// </summary>
    public static IReadOnlyDictionary<string, object> AddResults(this IDistributedApplicationBuilder builder)
    {
        if (builder.ExecutionContext.IsRunMode)
        {
            var folder = Path.Combine(NativeServerSettings.From(builder.Configuration, builder.AppHostDirectory).StateDirectory, "results");
            return new Dictionary<string, object> { ["Results__Folder"] = folder };
        }

        if (builder.GetChoice("Results", "folder", "s3") == "folder")
        {
            return new Dictionary<string, object>
            {
                ["Results__Folder"] = Asked("results-folder", "Folder, in the containers, for results larger than 256 KiB: a volume that all services mount there."),
            };
        }

        return new Dictionary<string, object>
        {
            ["Results__S3__Endpoint"] = Asked("results-s3-endpoint", "Address of the server that speaks S3, such as https://s3.eu-central-1.amazonaws.com."),
            ["Results__S3__Region"] = Asked("results-s3-region", "Region of the bucket for results larger than 256 KiB, such as eu-central-1."),
            ["Results__S3__Bucket"] = Asked("results-s3-bucket", "Bucket for results larger than 256 KiB; for them alone."),
            ["Results__S3__AccessKey"] = Asked("results-s3-access-key", "Id of an access key that may read, write and delete in that bucket."),
            ["Results__S3__SecretKey"] = Asked("results-s3-secret-key", "Secret of that access key.", isSecret: true),
        };

        ParameterResource Asked(string name, string description, bool isSecret = false) =>
            builder.AddParameter(name, isSecret).WithDescription(description).Resource;
    }

    /// <summary>Gives a service the place of large results.</summary>
    public static IResourceBuilder<ProjectResource> WithResults(this IResourceBuilder<ProjectResource> service, IReadOnlyDictionary<string, object> results) =>
        service.WithEnvironment(context =>
        {
            foreach (var (name, value) in results)
            {
                context.EnvironmentVariables[name] = value;
            }
        });

    /// <returns>The setting's value, one of the allowed ones; the first of them if it is not set.</returns>
    /// <exception cref="DistributedApplicationException">Another value; the message names the key and the allowed values.</exception>
    public static string GetChoice(this IDistributedApplicationBuilder builder, string key, params string[] allowed)
    {
        var value = builder.Configuration[key];
        return string.IsNullOrEmpty(value) ? allowed[0]
            : allowed.FirstOrDefault(each => each.Equals(value, StringComparison.OrdinalIgnoreCase))
                ?? throw new DistributedApplicationException($"{key} is '{value}'; it must be {string.Join(" or ", allowed)}.");
    }

    /// <returns>Whether the setting is true; false if it is not set.</returns>
    public static bool GetSwitch(this IDistributedApplicationBuilder builder, string key) => builder.GetChoice(key, "false", "true") == "true";

    public static bool HasTelegramToken(this IDistributedApplicationBuilder builder) => !string.IsNullOrEmpty(TelegramTokenOf(builder));

    /// <summary>Adds the bot's token as a parameter. When publishing it has no value: the token is not published, and the deployment asks for it.</summary>
    public static IResourceBuilder<ParameterResource> AddTelegramToken(this IDistributedApplicationBuilder builder) =>
        (builder.ExecutionContext.IsPublishMode
            ? builder.AddParameter(TelegramTokenParameter, secret: true)
            : builder.AddParameter(TelegramTokenParameter, TelegramTokenOf(builder) ?? "", secret: true))
        .WithDescription("Token of the Telegram bot, from @BotFather.");

    private static string? TelegramTokenOf(IDistributedApplicationBuilder builder) =>
        builder.Configuration[$"Parameters:{TelegramTokenParameter}"] is { Length: > 0 } parameter ? parameter : builder.Configuration["TELEGRAM_BOT_TOKEN"];
}
