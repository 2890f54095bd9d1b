using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Webhooks;

/// <summary>A request that a receiver got.</summary>
internal sealed record Received(string Path, string Id, string Timestamp, string Signature, string Body, DateTimeOffset At)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public string Type => Json.GetProperty("type").GetString()!;

    public long Seq => Json.GetProperty("data").GetProperty("seq").GetInt64();

    public string GenerationId => Json.GetProperty("data").GetProperty("generationId").GetString()!;
}

/// <summary>A real HTTP server that takes webhooks' messages, and answers as the test says. Each path is a webhook's own.</summary>
internal sealed class WebhookReceiver : IAsyncDisposable
{
    private readonly ConcurrentQueue<Received> _taken = [];
    private readonly ConcurrentQueue<Received> _all = [];
    private WebApplication? _app;

    private WebhookReceiver()
    {
    }

    /// <summary>Answers: anything below 300 means that the message was taken. By default 204.</summary>
    public Func<Received, HttpContext, Task<int>> Answer { get; set; } = (_, _) => Task.FromResult(204);

    public int Port { get; } = LoopbackPort.FindFree();

    /// <summary>What was taken, in order.</summary>
    public IReadOnlyList<Received> Taken => [.. _taken];

    /// <summary>Every request, whatever was answered.</summary>
    public IReadOnlyList<Received> All => [.. _all];

    public static async Task<WebhookReceiver> StartAsync()
    {
        var receiver = new WebhookReceiver();
        await receiver.StartAgainAsync();
        return receiver;
    }

    public string Url(string path = "hook") => $"http://127.0.0.1:{Port}/{path}";

    /// <summary>Listens (again), on the same port.</summary>
    public async Task StartAgainAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, Port));
        _app = builder.Build();
        _app.Run(TakeAsync);
        await _app.StartAsync(TestTime.Token);
    }

    /// <summary>Ends all connections and listens no more.</summary>
    public async Task StopAsync()
    {
        if (_app is not null)
        {
            using var now = new CancellationTokenSource();
            await now.CancelAsync();
            await _app.StopAsync(now.Token);
            await _app.DisposeAsync();
            _app = null;
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    private async Task TakeAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var received = new Received(
            context.Request.Path.Value!.TrimStart('/'),
            context.Request.Headers["webhook-id"].ToString(),
            context.Request.Headers["webhook-timestamp"].ToString(),
            context.Request.Headers["webhook-signature"].ToString(),
            await reader.ReadToEndAsync(context.RequestAborted),
            DateTimeOffset.UtcNow);
        _all.Enqueue(received);
        var status = await Answer(received, context);
        if (status < 300)
        {
            _taken.Enqueue(received);
        }

        if (!context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = status;
        }
    }
}
