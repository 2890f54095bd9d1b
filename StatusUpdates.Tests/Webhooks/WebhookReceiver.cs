using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace StatusUpdates.Tests.Webhooks;

/// <summary>A request that a receiver got.</summary>
internal sealed record Received(string Path, string Id, string Timestamp, string Signature, string Body, DateTimeOffset At)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public string Type => Json.GetProperty("type").GetString()!;

    public long Seq => Json.GetProperty("data").GetProperty("seq").GetInt64();

    public string GenerationId => Json.GetProperty("data").GetProperty("generationId").GetString()!;
}

/// <summary>A real HTTP server that receives webhook messages and answers as the test says. Each webhook has its own path.</summary>
internal sealed class WebhookReceiver : LoopbackHttpServer
{
    private readonly ConcurrentQueue<Received> _taken = [];
    private readonly ConcurrentQueue<Received> _all = [];

    private WebhookReceiver()
    {
    }

    /// <summary>Returns the status to answer: below 300 means that the message was accepted. By default 204.</summary>
    public Func<Received, HttpContext, Task<int>> Answer { get; set; } = (_, _) => Task.FromResult(204);

    public int Port => Address.Port;

    /// <summary>The messages that were accepted, in order.</summary>
    public IReadOnlyList<Received> Taken => [.. _taken];

    /// <summary>All requests, whatever the answer.</summary>
    public IReadOnlyList<Received> All => [.. _all];

    public static Task<WebhookReceiver> StartAsync() => StartAsync(new WebhookReceiver());

    public string Url(string path = "hook") => $"{Address}{path}";

    protected override async Task AnswerAsync(HttpContext context)
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
