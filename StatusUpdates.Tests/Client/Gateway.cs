using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace StatusUpdates.Tests.Client;

/// <summary>
/// A reverse proxy in front of an API: a real Kestrel that forwards requests, upgrades included, unless the test answers one itself.
/// </summary>
internal sealed class Gateway : LoopbackHttpServer
{
    private readonly SocketsHttpHandler _handler = new() { AllowAutoRedirect = false };
    private readonly HttpMessageInvoker _forwarder;

    private Gateway(Uri upstream)
    {
        _forwarder = new(_handler, disposeHandler: false);
        Upstream = upstream;
    }

    /// <summary>Answers a request and returns true, or returns false to have it forwarded.</summary>
    public delegate Task<bool> Script(HttpContext context);

    public Uri Upstream { get; set; }

    /// <summary>Answers requests in place of the API.</summary>
    public Script Answer { get; set; } = _ => Task.FromResult(false);

    public static Task<Gateway> StartAsync(Uri? upstream = null) => StartAsync(new Gateway(upstream ?? new Uri("http://127.0.0.1:9")));

    public static bool IsSocket(HttpContext context) => context.Request.Path == "/ws/status";

    /// <summary>Answers with a bare status, without the body that the API would send.</summary>
    public static bool Refuse(HttpContext context, int status, int? retryAfter = null)
    {
        context.Response.StatusCode = status;
        if (retryAfter is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        return true;
    }

    /// <summary>How often this path was requested (GET).</summary>
    public int Count(string path) => Requests.Count(request => request.StartsWith($"GET {path}", StringComparison.Ordinal));

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _forwarder.Dispose();
        _handler.Dispose();
    }

    protected override async Task AnswerAsync(HttpContext context)
    {
        if (!await Answer(context))
        {
            await ForwardAsync(context);
        }
    }

    private async Task ForwardAsync(HttpContext context)
    {
        using var request = new HttpRequestMessage(
            new HttpMethod(context.Request.Method), new Uri(Upstream, $"{context.Request.Path}{context.Request.QueryString}"));
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

        using var response = await _forwarder.SendAsync(request, context.RequestAborted);
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
