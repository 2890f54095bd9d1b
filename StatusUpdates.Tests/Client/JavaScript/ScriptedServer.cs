using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.Tests.Client.JavaScript;

/// <summary>A server that answers as a test says, to show what the API itself never or rarely does. What has no answer is not found.</summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<string> _requests = new();

    private ScriptedServer()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.UseWebSockets();
        _app.Run(AnswerAsync);
    }

    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());

    /// <summary>What was asked for so far: method, path and query.</summary>
    public IReadOnlyList<string> Requests => [.. _requests];

    /// <summary>Answers <c>POST /api/v1/tickets</c>; with a ticket, unless a test says otherwise.</summary>
    public Func<HttpContext, Task>? OnTicket { get; set; } = Ticket("t");

    /// <summary>Answers <c>GET /api/v1/status/poll</c>.</summary>
    public Func<HttpContext, Task>? OnPoll { get; set; }

    /// <summary>Serves a WebSocket, until it returns.</summary>
    public Func<WebSocket, Task>? OnSocket { get; set; }

    public static async Task<ScriptedServer> StartAsync()
    {
        var server = new ScriptedServer();
        await server._app.StartAsync(TestTime.Token);
        return server;
    }

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

    /// <summary>An update with that place in the log, or with none.</summary>
    public static string Update(long? seq, string generationId = "gen-1", string userId = "u")
    {
        var place = seq is null ? "" : $$""","seq":{{seq}}""";
        return $$"""{"generationId":"{{generationId}}","userId":"{{userId}}","type":"chat","status":"processing","timestamp":1700000000000{{place}}}""";
    }

    /// <summary>The next text of the client; null once it has closed or gone.</summary>
    public static async Task<string?> HearAsync(WebSocket socket)
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
        while (await HearAsync(socket) is not null)
        {
        }
    }

    public static Task CloseAsync(WebSocket socket, int code) => socket.CloseOutputAsync((WebSocketCloseStatus)code, "scripted", TestTime.Token);

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource();
        await atOnce.CancelAsync();
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        _requests.Enqueue($"{request.Method} {request.Path}{request.QueryString}");
        var answer = request.Path.Value switch
        {
            "/api/v1/tickets" => OnTicket,
            "/api/v1/status/poll" => OnPoll,
            "/ws/status" when OnSocket is { } serve => async c => await serve(await c.WebSockets.AcceptWebSocketAsync()),
            _ => null,
        };
        await (answer ?? (c => ProblemAsync(c, StatusCodes.Status404NotFound, "nothing here")))(context);
    }
}
