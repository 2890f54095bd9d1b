using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.Benchmarks.Connections;

/// <summary>The floor: a WebSocket on Kestrel that says one word and then waits, without a user, a feed or a time limit.</summary>
internal static class BareServer
{
    private static readonly byte[] Hello = "{\"type\":\"connected\"}"u8.ToArray();

    public static Task RunAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();

        // The end of a run cuts thousands of sockets off: that is nothing to report.
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.UseWebSockets();
        app.MapGet("/ready", () => "ready");
        app.Map("/ws", async (HttpContext context) =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await socket.SendAsync(Hello, System.Net.WebSockets.WebSocketMessageType.Text, true, context.RequestAborted);

            // An empty buffer: nothing is rented until there is something to read.
            await socket.ReceiveAsync(Memory<byte>.Empty, context.RequestAborted);
        });
        return app.RunAsync();
    }
}
