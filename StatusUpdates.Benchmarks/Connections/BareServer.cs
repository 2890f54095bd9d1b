using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.Benchmarks.Connections;

/// <summary>The floor: a WebSocket on Kestrel that sends one message and then waits, without a user, feed or time limit.</summary>
internal static class BareServer
{
    private static readonly byte[] Hello = "{\"type\":\"connected\"}"u8.ToArray();

    public static Task RunAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();

        // The end of a run cuts thousands of sockets, which is not worth logging.
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.UseWebSockets();
        app.MapGet("/ready", () => "ready");
        app.Map("/ws", async (HttpContext context) =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await socket.SendAsync(Hello, System.Net.WebSockets.WebSocketMessageType.Text, true, context.RequestAborted);

            // With an empty buffer, no memory is rented until there is something to read.
            await socket.ReceiveAsync(Memory<byte>.Empty, context.RequestAborted);
        });
        return app.RunAsync();
    }
}
