using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;

namespace StatusUpdates.Tests.ResultStore;

/// <summary>
/// Stands before the S3 server and passes everything on as it is, signatures included. It adds what that server lacks: lists of multipart uploads that
/// are neither complete nor aborted, and aborting them. It can fail requests.
/// </summary>
internal sealed partial class UploadTracker(Uri server) : LoopbackHttpServer
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false }) { BaseAddress = server };

    /// <summary>The multipart uploads that hold parts: their keys by their ids.</summary>
    public ConcurrentDictionary<string, string> Open { get; } = new();

    /// <summary>The status with which a request is answered instead of being passed on; 0 for none.</summary>
    public Func<HttpRequest, int> Fault { get; set; } = _ => 0;

    public static Task<UploadTracker> StartAsync(Uri server) => StartAsync(new UploadTracker(server));

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _http.Dispose();
    }

    protected override async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        var upload = (string?)request.Query["uploadId"];
        if (Fault(request) is > 0 and var status)
        {
            context.Response.StatusCode = status;
        }
        else if (HttpMethods.IsGet(request.Method) && request.Query.ContainsKey("uploads"))
        {
            var prefix = (string?)request.Query["prefix"] ?? "";
            context.Response.ContentType = "application/xml";
            await context.Response.WriteAsync(
                $"""
                <?xml version="1.0" encoding="UTF-8"?>
                <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>{S3Server.Bucket}</Bucket><IsTruncated>false</IsTruncated>
                {string.Concat(Open.Where(one => one.Value.StartsWith(prefix, StringComparison.Ordinal)).Select(one => $"<Upload><Key>{one.Value}</Key><UploadId>{one.Key}</UploadId></Upload>"))}
                </ListMultipartUploadsResult>
                """);
        }
        else if (HttpMethods.IsDelete(request.Method) && upload is not null)
        {
            context.Response.StatusCode = Open.TryRemove(upload, out _) ? 204 : 404;
        }
        else
        {
            await PassOnAsync(context, upload);
        }
    }

    private async Task PassOnAsync(HttpContext context, string? upload)
    {
        using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), context.Request.GetEncodedPathAndQuery())
        {
            Content = context.Request.ContentLength is null && !HttpMethods.IsPost(context.Request.Method) ? null : new StreamContent(context.Request.Body),
        };
        foreach (var (name, values) in context.Request.Headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
            {
                request.Content?.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
            }
        }

        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
        context.Response.StatusCode = (int)response.StatusCode;
        foreach (var header in response.Headers.Concat(response.Content.Headers).Where(header => header.Key != "Transfer-Encoding"))
        {
            context.Response.Headers[header.Key] = header.Value.ToArray();
        }

        if (HttpMethods.IsPost(context.Request.Method) && response.IsSuccessStatusCode)
        {
            var body = await response.Content.ReadAsStringAsync(context.RequestAborted);
            if (upload is not null)
            {
                Open.TryRemove(upload, out _);
            }
            else if (UploadId().Match(body) is { Success: true } id)
            {
                Open[id.Groups[1].Value] = context.Request.Path.Value![$"/{S3Server.Bucket}/".Length..];
            }

            await context.Response.WriteAsync(body);
            return;
        }

        await response.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    [GeneratedRegex("<UploadId>([^<]+)</UploadId>")]
    private static partial Regex UploadId();
}
