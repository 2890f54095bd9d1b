using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace StatusUpdates.Tests.Browser;

/// <summary>A page in a browser. Waits are completed by the page itself when its document changes, without polling or sleeping.</summary>
public sealed class BrowserPage : IAsyncDisposable
{
    private readonly DevTools _devTools;
    private readonly string _contextId;
    private readonly string _sessionId;
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private BrowserPage(DevTools devTools, string contextId, string sessionId)
    {
        _devTools = devTools;
        _contextId = contextId;
        _sessionId = sessionId;
        devTools.Listen(sessionId, OnEvent);
    }

    /// <summary>What went wrong in the page: exceptions, dialogs and console errors, such as violations of its security policy.</summary>
    public IReadOnlyCollection<string> Errors => _errors;

    internal static async Task<BrowserPage> CreateAsync(DevTools devTools, CancellationToken cancellationToken)
    {
        var context = (string)(await devTools.SendAsync("Target.createBrowserContext", null, null, cancellationToken))["browserContextId"]!;
        var target = await devTools.SendAsync(
            "Target.createTarget", new() { ["url"] = "about:blank", ["browserContextId"] = context }, null, cancellationToken);
        var session = await devTools.SendAsync(
            "Target.attachToTarget", new() { ["targetId"] = (string)target["targetId"]!, ["flatten"] = true }, null, cancellationToken);
        var page = new BrowserPage(devTools, context, (string)session["sessionId"]!);
        foreach (var domain in new[] { "Page", "Runtime", "Log" })
        {
            await page.SendAsync($"{domain}.enable", null, cancellationToken);
        }

        return page;
    }

    internal async Task NavigateAsync(Uri address, CancellationToken cancellationToken)
    {
        var result = await SendAsync("Page.navigate", new() { ["url"] = address.AbsoluteUri }, cancellationToken);
        Assert.Null(result["errorText"]);
        await _loaded.Task.WaitAsync(cancellationToken);
    }

    /// <summary>The value of a JavaScript expression; a promise is awaited.</summary>
    public async Task<JsonNode?> EvaluateAsync(string expression, CancellationToken cancellationToken)
    {
        var answer = await SendAsync(
            "Runtime.evaluate",
            new() { ["expression"] = expression, ["awaitPromise"] = true, ["returnByValue"] = true },
            cancellationToken);
        Assert.True(answer["exceptionDetails"] is null, $"{expression}: {answer["exceptionDetails"]?.ToJsonString()}");
        return answer["result"]!["value"];
    }

    /// <summary>Waits until an expression over the document is true.</summary>
    public async Task WaitUntilAsync(string condition, CancellationToken cancellationToken)
    {
        var script = $$"""
            new Promise(resolve => {
              const observer = new MutationObserver(check);
              observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
              function check() {
                if ({{condition}}) {
                  observer.disconnect();
                  resolve();
                }
              }
              check();
            })
            """;
        try
        {
            await EvaluateAsync(script, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"Never true: {condition}\n{string.Join('\n', Errors)}");
            throw;
        }
    }

    public Task ClickAsync(string selector, CancellationToken cancellationToken) =>
        EvaluateAsync($"document.querySelector({JsonSerializer.Serialize(selector)}).click()", cancellationToken);

    /// <summary>Types a text into a field, like a keyboard.</summary>
    public async Task TypeAsync(string selector, string text, CancellationToken cancellationToken)
    {
        await EvaluateAsync($"document.querySelector({JsonSerializer.Serialize(selector)}).focus()", cancellationToken);
        await SendAsync("Input.insertText", new() { ["text"] = text }, cancellationToken);
    }

    /// <summary>Presses Enter, with the control key or without.</summary>
    public async Task PressEnterAsync(bool control, CancellationToken cancellationToken)
    {
        foreach (var type in new[] { "keyDown", "keyUp" })
        {
            await SendAsync(
                "Input.dispatchKeyEvent",
                new()
                {
                    ["type"] = type,
                    ["key"] = "Enter",
                    ["code"] = "Enter",
                    ["windowsVirtualKeyCode"] = 13,
                    ["text"] = control || type == "keyUp" ? "" : "\r",
                    ["modifiers"] = control ? 2 : 0,
                },
                cancellationToken);
        }
    }

    public async ValueTask DisposeAsync() => await _devTools.SendAsync(
        "Target.disposeBrowserContext", new() { ["browserContextId"] = _contextId }, null, CancellationToken.None);

    private Task<JsonNode> SendAsync(string method, JsonObject? parameters, CancellationToken cancellationToken) =>
        _devTools.SendAsync(method, parameters, _sessionId, cancellationToken);

    private void OnEvent(string method, JsonNode parameters)
    {
        switch (method)
        {
            case "Page.loadEventFired":
                _loaded.TrySetResult();
                break;
            case "Page.javascriptDialogOpening":
                _errors.Enqueue($"dialog: {parameters["message"]}");
                break;
            case "Runtime.exceptionThrown":
                _errors.Enqueue($"exception: {parameters["exceptionDetails"]!.ToJsonString()}");
                break;
            case "Log.entryAdded" when parameters["entry"]!.AsObject() is var entry && (string?)entry["level"] is "error" && !IsBusyServer(entry):
                _errors.Enqueue($"log: {entry["text"]} {entry["url"]}");
                break;
            default:
                break;
        }
    }

    // An overloaded server answers 503, and the page retries. The browser still logs every such response.
    private static bool IsBusyServer(JsonObject entry) =>
        (string?)entry["source"] is "network" && ((string?)entry["text"])!.Contains("status of 503", StringComparison.Ordinal);
}
