using System.Diagnostics;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Browser;

[assembly: AssemblyFixture(typeof(ChromiumBrowser))]

namespace StatusUpdates.Tests.Browser;

/// <summary>A headless Chromium that all tests share, started when one first opens a page. Each page has its own browser context.</summary>
public sealed class ChromiumBrowser : IAsyncDisposable
{
    private static readonly string[] Programs = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    private static readonly string[] Applications =
    [
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ];

    private readonly Lazy<Task<Started>> _started = new(StartAsync);

    /// <summary>Opens an address in a new page; skips the test if there is no Chromium.</summary>
    public async Task<BrowserPage> OpenAsync(Uri address, CancellationToken cancellationToken)
    {
        Assert.SkipWhen(FindProgram() is null, $"No browser was found: none of {string.Join(", ", Programs)} is on PATH.");
        var page = await BrowserPage.CreateAsync((await _started.Value).DevTools, cancellationToken);
        await page.NavigateAsync(address, cancellationToken);
        return page;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_started.IsValueCreated)
        {
            return;
        }

        var (process, devTools, profile) = await _started.Value;
        using (process)
        {
            // Browser.close also ends the helper processes; only then is the profile no longer in use.
            await devTools.SendAsync("Browser.close", null, null, CancellationToken.None);
            await devTools.DisposeAsync();
            await process.WaitForExitAsync();
        }

        Directory.Delete(profile, recursive: true);
    }

    private static string? FindProgram() =>
        Programs.Select(ToolPath.Find).Concat(Applications.Where(File.Exists)).FirstOrDefault(path => path is not null);

    private static async Task<Started> StartAsync()
    {
        var profile = Directory.CreateTempSubdirectory("status-updates-chromium-").FullName;

        // No sandbox: it does not work for root and in most containers, and the only pages opened here are our own.
        string[] arguments =
        [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
            "--disable-renderer-backgrounding", "--remote-debugging-port=0", $"--user-data-dir={profile}", "about:blank",
        ];
        var process = Process.Start(new ProcessStartInfo(FindProgram()!, arguments) { RedirectStandardError = true })!;
        var found = new TaskCompletionSource<Uri>(TaskCreationOptions.RunContinuationsAsynchronously);
        process.ErrorDataReceived += (_, line) =>
        {
            const string Mark = "DevTools listening on ";
            if (line.Data is null)
            {
                found.TrySetException(new InvalidOperationException("Chromium exited before it listened."));
            }
            else if (line.Data.StartsWith(Mark, StringComparison.Ordinal))
            {
                found.TrySetResult(new Uri(line.Data[Mark.Length..]));
            }
        };
        process.BeginErrorReadLine();
        return new Started(process, await DevTools.ConnectAsync(await found.Task), profile);
    }

    private sealed record Started(Process Process, DevTools DevTools, string Profile);
}
