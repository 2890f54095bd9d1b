using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.Tests.Client;

/// <summary>
/// What stands before an API: a real Kestrel that hands requests on, upgrades included, unless the test has its own answer to one.
/// </summary>
internal sealed class Gateway : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly SocketsHttpHandler _handler = new() { AllowAutoRedirect = false };
    private readonly HttpMessageInvoker _behind;

    private Gateway(WebApplication app, Uri behind)
    {
        _app = app;
        _behind = new(_handler, disposeHandler: false);
        Behind = behind;
    }

    /// <summary>Answers a request; false hands it on.</summary>
    public delegate Task<bool> Script(HttpContext context);

    public Uri Behind { get; set; }

    public Uri Address { get; private set; } = null!;

    /// <summary>What is answered instead of the API.</summary>
    public Script Answer { get; set; } = _ => Task.FromResult(false);

    /// <summary>Path and query of every request, in order.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    public static async Task<Gateway> StartAsync(Uri? behind = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var gateway = new Gateway(app, behind ?? new Uri("http://127.0.0.1:9"));
        app.UseWebSockets();
        app.Run(gateway.ServeAsync);
        await app.StartAsync(TestTime.Token);
        gateway.Address = new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        return gateway;
    }

    public static bool IsSocket(HttpContext context) => context.Request.Path == "/ws/status";

    /// <summary>Answers with a status and nothing that the API would say.</summary>
    public static bool Refuse(HttpContext context, int status, int? retryAfter = null)
    {
        context.Response.StatusCode = status;
        if (retryAfter is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        return true;
    }

    public int Count(string path) => Requests.Count(request => request.StartsWith(path, StringComparison.Ordinal));

    public async ValueTask DisposeAsync()
    {
        using var impatient = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(impatient.Token);
        await _app.DisposeAsync();
        _behind.Dispose();
        _handler.Dispose();
    }

    private async Task ServeAsync(HttpContext context)
    {
        Requests.Enqueue($"{context.Request.Path}{context.Request.QueryString}");
        if (!await Answer(context))
        {
            await HandOnAsync(context);
        }
    }

    private async Task HandOnAsync(HttpContext context)
    {
        using var request = new HttpRequestMessage(
            new HttpMethod(context.Request.Method), new Uri(Behind, $"{context.Request.Path}{context.Request.QueryString}"));
        foreach (var (name, value) in context.Request.Headers)
        {
            if (name is not "Host" && !name.StartsWith("Content-", StringComparison.Ordinal))
            {
                request.Headers.TryAddWithoutValidation(name, value.ToArray());
            }
        }

        if (context.Request.ContentLength > 0)
        {
            request.Content = new StreamContent(context.Request.Body);
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(context.Request.ContentType!);
        }

        using var response = await _behind.SendAsync(request, context.RequestAborted);
        context.Response.StatusCode = (int)response.StatusCode;
        foreach (var (name, value) in response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated))
        {
            if (name is not "Transfer-Encoding" and not "Connection")
            {
                context.Response.Headers[name] = value.ToArray();
            }
        }

        var answer = await response.Content.ReadAsStreamAsync(context.RequestAborted);
        if (response.StatusCode != HttpStatusCode.SwitchingProtocols)
        {
            await answer.CopyToAsync(context.Response.Body, context.RequestAborted);
            return;
        }

        await using var client = await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        var both = new[] { client.CopyToAsync(answer, end.Token), answer.CopyToAsync(client, end.Token) };
        await Task.WhenAny(both);
        await end.CancelAsync();
        await Task.WhenAll(both).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }
}
