using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.Benchmarks.Webhooks;

/// <summary>
/// The receivers of all webhooks: reads each message, records when it arrived, and answers 204. Under <c>/bad</c> it answers 500, hangs, or closes
/// the connection. Counts repeated messages, and those that arrive out of their generation's order.
/// </summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<(string Path, long Seq), long> _received = new();
    private readonly ConcurrentDictionary<(string Path, string GenerationId), long> _heads = new();
    private int _count;
    private long _bare;
    private long _bytes;
    private long _repeated;
    private long _outOfOrder;

    private Receiver(WebApplication app) => _app = app;

    public string Address { get; private set; } = "";

    /// <summary>How many messages have arrived, each counted once.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>How many messages arrived again.</summary>
    public long Repeated => Volatile.Read(ref _repeated);

    /// <summary>How many messages arrived after a later one of their generation.</summary>
    public long OutOfOrder => Volatile.Read(ref _outOfOrder);

    /// <summary>Requests without a message, as the floor sends them.</summary>
    public long Bare => Volatile.Read(ref _bare);

    /// <summary>Mean size of a message, in bytes.</summary>
    public int MeanSize => Count == 0 ? 0 : (int)(Volatile.Read(ref _bytes) / (Count + Repeated));

    public static async Task<Receiver> StartAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var receiver = new Receiver(app);
        app.Run(receiver.HandleAsync);
        await app.StartAsync(cancellationToken);
        receiver.Address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return receiver;
    }

    /// <summary>When a message arrived (<see cref="Stopwatch.GetTimestamp"/>); null if it has not.</summary>
    public long? ReceivedAt(string path, long seq) => _received.TryGetValue((path, seq), out var at) ? at : null;

    public async ValueTask DisposeAsync()
    {
        using var canceled = new CancellationTokenSource();
        await canceled.CancelAsync();
        await _app.StopAsync(canceled.Token);
        await _app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (path.StartsWith("/bad/hang", StringComparison.Ordinal))
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return;
        }

        if (path.StartsWith("/bad/close", StringComparison.Ordinal))
        {
            context.Abort();
            return;
        }

        context.Response.StatusCode = path.StartsWith("/bad", StringComparison.Ordinal) ? 500 : 204;
        var body = await ReadAsync(context);
        if (context.Response.StatusCode == 500)
        {
            return;
        }

        if (!context.Request.Headers.ContainsKey("webhook-id"))
        {
            Interlocked.Increment(ref _bare);
            return;
        }

        Record(path, body);
    }

    private void Record(string path, ReadOnlyMemory<byte> body)
    {
        var at = Stopwatch.GetTimestamp();
        using var message = JsonDocument.Parse(body);
        var data = message.RootElement.GetProperty("data");
        var seq = data.GetProperty("seq").GetInt64();
        Interlocked.Add(ref _bytes, body.Length);
        if (!_received.TryAdd((path, seq), at))
        {
            Interlocked.Increment(ref _repeated);
            return;
        }

        Interlocked.Increment(ref _count);
        var head = _heads.AddOrUpdate((path, data.GetProperty("generationId").GetString()!), seq, (_, before) => Math.Max(before, seq));
        if (head != seq)
        {
            Interlocked.Increment(ref _outOfOrder);
        }
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext context)
    {
        while (true)
        {
            var read = await context.Request.BodyReader.ReadAsync(context.RequestAborted);
            if (read.IsCompleted)
            {
                var body = read.Buffer.ToArray();
                context.Request.BodyReader.AdvanceTo(read.Buffer.End);
                return body;
            }

            context.Request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}
