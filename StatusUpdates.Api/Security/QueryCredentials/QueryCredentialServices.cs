using Microsoft.AspNetCore.Hosting.Server;

namespace StatusUpdates.Api.Security.QueryCredentials;

internal static class QueryCredentialServices
{
    /// <summary>Wraps the registered server, so that no log, span or metric ever sees a credential of a query.</summary>
    public static void AddQueryCredentials(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        var server = services.LastOrDefault(service => service.ServiceType == typeof(IServer))
            ?? throw new InvalidOperationException("No server is registered that could be wrapped.");
        services.Remove(server);
        services.AddSingleton<IServer>(provider => new CredentialStrippingServer((IServer)(
            server.ImplementationInstance
            ?? server.ImplementationFactory?.Invoke(provider)
            ?? ActivatorUtilities.CreateInstance(provider, server.ImplementationType!))));

        // Kestrel quotes the start of a request that it cannot parse, query included, and does so before any of this code runs.
        services.PostConfigure<LoggerFilterOptions>(options => options.Rules.Add(
            new LoggerFilterRule(null, "Microsoft.AspNetCore.Server.Kestrel.BadRequests", LogLevel.None, null)));
    }
}
