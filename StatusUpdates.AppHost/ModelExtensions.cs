using System.Globalization;
using Microsoft.Extensions.Configuration;
using StatusUpdates.AppHost.Local;

#pragma warning disable ASPIREPROBES001 // WithHttpProbe is marked as experimental.

namespace Aspire.Hosting;

/// <summary>Words of AppHost.cs.</summary>
internal static class ModelExtensions
{
    private const string TelegramTokenParameter = "telegram-bot-token";

    /// <summary>Database and Redis. A service waits for both only to start tidily; in operation it does without Redis.</summary>
    public static IResourceBuilder<ProjectResource> WithServers(
        this IResourceBuilder<ProjectResource> service, IResourceBuilder<IResourceWithConnectionString> db, IResourceBuilder<RedisResource> redis) =>
        service.RunBuiltProgram().WithReference(db).WithReference(redis).WaitFor(db).WaitFor(redis);

    /// <summary>
    /// For a run: what a process still sends to a dashboard that may be gone already may hold its stop up for a second (10 by default), because the
    /// orchestrator kills what has not ended 6 s after SIGTERM.
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

    /// <summary>
    /// <c>/health</c>: whether it can serve; <c>/alive</c>: whether it answers at all. A service without an address of its own is given one for them.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithProbes(this IResourceBuilder<ProjectResource> service)
    {
        if (!service.Resource.Annotations.OfType<EndpointAnnotation>().Any(endpoint => endpoint.Name == "http"))
        {
            service.WithHttpEndpoint(name: "http").WithUrlForEndpoint("http", url => (url.Url, url.DisplayText) = ("/health", "Health"));
        }

        // It listens once it has its database: longer than it waits for that, and for a migration. An annotation, for WithHttpProbe adds a health
        // check too, and takes a path for one probe alone.
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

    /// <returns>The setting's value, one of those allowed; the first of them where it is not set.</returns>
    /// <exception cref="DistributedApplicationException">It is none of them; the message names the key and what is allowed.</exception>
    public static string GetChoice(this IDistributedApplicationBuilder builder, string key, params string[] allowed)
    {
        var value = builder.Configuration[key];
        return string.IsNullOrEmpty(value) ? allowed[0]
            : allowed.FirstOrDefault(each => each.Equals(value, StringComparison.OrdinalIgnoreCase))
                ?? throw new DistributedApplicationException($"{key} is '{value}'; it must be {string.Join(" or ", allowed)}.");
    }

    /// <returns>Whether the setting is true; false where it is not set.</returns>
    public static bool GetSwitch(this IDistributedApplicationBuilder builder, string key) => builder.GetChoice(key, "false", "true") == "true";

    public static bool HasTelegramToken(this IDistributedApplicationBuilder builder) => !string.IsNullOrEmpty(TelegramTokenOf(builder));

    /// <summary>The bot's token as a parameter: without a value when publishing, so that none is published and its owner is asked for it.</summary>
    public static IResourceBuilder<ParameterResource> AddTelegramToken(this IDistributedApplicationBuilder builder) =>
        (builder.ExecutionContext.IsPublishMode
            ? builder.AddParameter(TelegramTokenParameter, secret: true)
            : builder.AddParameter(TelegramTokenParameter, TelegramTokenOf(builder) ?? "", secret: true))
        .WithDescription("Token of the Telegram bot, from @BotFather.");

    private static string? TelegramTokenOf(IDistributedApplicationBuilder builder) =>
        builder.Configuration[$"Parameters:{TelegramTokenParameter}"] is { Length: > 0 } parameter ? parameter : builder.Configuration["TELEGRAM_BOT_TOKEN"];
}
