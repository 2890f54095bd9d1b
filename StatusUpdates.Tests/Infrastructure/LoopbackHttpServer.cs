using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>A real HTTP server on loopback that answers as a derived class says, and records what it was asked. It keeps its address while it is stopped.</summary>
internal abstract class LoopbackHttpServer : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _requests = new();
    private WebApplication? _app;

    public Uri Address { get; } = LoopbackPort.FindFreeAddress();

    /// <summary>The requests so far, in order: method, path and query.</summary>
    public IReadOnlyList<string> Requests => [.. _requests];

    /// <summary>Starts listening, or listens again after a stop.</summary>
    public async Task ListenAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(Address.GetLeftPart(UriPartial.Authority));
        var app = builder.Build();
        app.UseWebSockets();
        app.Run(context =>
        {
            _requests.Enqueue($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}");
            return AnswerAsync(context);
        });
        await app.StartAsync(TestTime.Token);
        _app = app;
    }

    /// <summary>Cuts all connections and stops listening.</summary>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _app, null) is { } app)
        {
            await app.StopAsync(new CancellationToken(canceled: true));
            await app.DisposeAsync();
        }
    }

    public virtual async ValueTask DisposeAsync() => await StopAsync();

    protected static async Task<T> StartAsync<T>(T server)
        where T : LoopbackHttpServer
    {
        await server.ListenAsync();
        return server;
    }

    protected abstract Task AnswerAsync(HttpContext context);
}
