using Microsoft.AspNetCore.Http.Features;
using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Api.Transports;

/// <summary>
/// The life of a connection, the same for all transports, in this order:
/// <list type="number">
/// <item>It is admitted, or refused by a limit or the drain.</item>
/// <item>Its cursor is opened, before the response begins: if the database is away, the client gets a status instead of a silent connection.</item>
/// <item>Its transport begins the response.</item>
/// <item>The clock and the drain get to know it, before its client is told that it is connected.</item>
/// <item>It runs. At its end, or if a step fails, the steps are undone in the reverse order.</item>
/// </list>
/// Thread-safe.
/// </summary>
internal sealed class ConnectionLifecycle(ConnectionRegistry registry, FeedHub hub, FeedMetrics metrics)
{
    /// <summary>Serves a connection to its end.</summary>
    /// <param name="http">Its request.</param>
    /// <param name="request">What it follows.</param>
    /// <param name="serveAsync">Begins the response, and runs a connection of the cursor by the function that it gets; or refuses.</param>
    /// <returns>What is left to write of the response.</returns>
    public async Task<IResult> ServeAsync(
        HttpContext http, FeedRequest request, Func<FeedCursor, Func<TransportConnection, Task<IResult>>, Task<IResult>> serveAsync)
    {
        if (registry.TryEnter(request.UserId) is { } refusal)
        {
            return refusal;
        }

        try
        {
            using var cursor = await hub.OpenAsync(request, http.RequestAborted);
            return await serveAsync(cursor, connection => RunAsync(http, connection));
        }
        finally
        {
            registry.Leave(request.UserId);
        }
    }

    private async Task<IResult> RunAsync(HttpContext http, TransportConnection connection)
    {
        // An open connection lasts as long as its client likes and would dominate http.server.request.duration. Refused requests stay included.
        http.Features.Get<IHttpMetricsTagsFeature>()?.MetricsDisabled = true;
        metrics.Connected(connection.Transport);
        try
        {
            registry.Attach(connection);
            await connection.RunAsync();
            return TypedResults.Empty;
        }
        finally
        {
            registry.Detach(connection);
            metrics.Disconnected(connection.Transport);
        }
    }
}
