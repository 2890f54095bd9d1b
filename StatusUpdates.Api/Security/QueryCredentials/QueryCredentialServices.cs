using Microsoft.AspNetCore.Hosting.Server;

namespace StatusUpdates.Api.Security.QueryCredentials;

internal static class QueryCredentialServices
{
    /// <summary>Wraps the registered server, so that no log, span or metric ever contains a credential from a query.</summary>
    public static void AddQueryCredentials(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        var server = services.LastOrDefault(service => service.ServiceType == typeof(IServer))
            ?? throw new InvalidOperationException("No server is registered to wrap.");
        services.Remove(server);
        services.AddSingleton<IServer>(provider => new CredentialStrippingServer((IServer)(
            server.ImplementationInstance
            ?? server.ImplementationFactory?.Invoke(provider)
            ?? ActivatorUtilities.CreateInstance(provider, server.ImplementationType!))));

        services.PostConfigure<LoggerFilterOptions>(SilenceBadRequests);
    }

    // Kestrel logs the start of a request that it cannot parse, including its query, before any of this code runs. A rule for a specific
    // logging provider takes precedence over a general one, so each provider gets its own rule.
    private static void SilenceBadRequests(LoggerFilterOptions options)
    {
        foreach (var provider in options.Rules.Select(rule => rule.ProviderName).Append(null).Distinct().ToArray())
        {
            options.Rules.Add(new LoggerFilterRule(provider, "Microsoft.AspNetCore.Server.Kestrel.BadRequests", LogLevel.None, null));
        }
    }
}
