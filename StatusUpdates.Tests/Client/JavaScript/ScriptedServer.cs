using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace StatusUpdates.Tests.Client.JavaScript;

/// <summary>A server with scripted answers, for behavior that the API rarely or never shows. Requests without an answer get a 404.</summary>
internal sealed class ScriptedServer : LoopbackHttpServer
{
    private ScriptedServer()
    {
    }

    /// <summary>Answers <c>POST /api/v1/tickets</c>; by default with a ticket.</summary>
    public Func<HttpContext, Task>? OnTicket { get; set; } = Ticket("t");

    /// <summary>Answers <c>GET /api/v1/status/poll</c>.</summary>
    public Func<HttpContext, Task>? OnPoll { get; set; }

    /// <summary>Serves a WebSocket, which ends when this returns.</summary>
    public Func<WebSocket, Task>? OnSocket { get; set; }

    public static Task<ScriptedServer> StartAsync() => StartAsync(new ScriptedServer());

    public static Func<HttpContext, Task> Ticket(string ticket) => context => OkAsync(context, $$"""{"ticket":"{{ticket}}"}""");

    public static async Task OkAsync(HttpContext context, string data)
    {
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync($$"""{"success":true,"data":{{data}}}""", TestTime.Token);
    }

    public static async Task ProblemAsync(HttpContext context, int status, string detail, string? retryAfter = null)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/problem+json";
        context.Response.Headers.RetryAfter = retryAfter;
        await context.Response.WriteAsync($$"""{"success":false,"status":{{status}},"detail":"{{detail}}"}""", TestTime.Token);
    }

    public static Task SendAsync(WebSocket socket, string text) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, TestTime.Token);

    /// <summary>The JSON of an update with this seq, or without one.</summary>
    public static string Update(long? seq, string generationId = "gen-1", string userId = "u")
    {
        var seqMember = seq is null ? "" : $$""","seq":{{seq}}""";
        return $$"""{"generationId":"{{generationId}}","userId":"{{userId}}","type":"chat","status":"processing","timestamp":1700000000000{{seqMember}}}""";
    }

    /// <summary>The next text from the client, or null once it has closed or lost the connection.</summary>
    public static async Task<string?> ReceiveTextAsync(WebSocket socket)
    {
        var buffer = new byte[8 * 1024];
        try
        {
            var message = await socket.ReceiveAsync(buffer, TestTime.Token);
            return message.MessageType == WebSocketMessageType.Close ? null : Encoding.UTF8.GetString(buffer, 0, message.Count);
        }
        catch (WebSocketException)
        {
            return null;
        }
    }

    public static async Task UntilClosedAsync(WebSocket socket)
    {
        while (await ReceiveTextAsync(socket) is not null)
        {
        }
    }

    public static Task CloseAsync(WebSocket socket, int code) => socket.CloseOutputAsync((WebSocketCloseStatus)code, "scripted", TestTime.Token);

    protected override async Task AnswerAsync(HttpContext context)
    {
        var answer = context.Request.Path.Value switch
        {
            "/api/v1/tickets" => OnTicket,
            "/api/v1/status/poll" => OnPoll,
            "/ws/status" when OnSocket is { } serve => async c => await serve(await c.WebSockets.AcceptWebSocketAsync()),
            _ => null,
        };
        await (answer ?? (c => ProblemAsync(c, StatusCodes.Status404NotFound, "nothing here")))(context);
    }
}
