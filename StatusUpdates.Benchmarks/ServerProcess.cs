using System.Diagnostics;
using System.Globalization;

namespace StatusUpdates.Benchmarks;

/// <summary>A server under measurement, in a process of its own.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private readonly Process _process;

    private ServerProcess(Process process, Uri address)
    {
        _process = process;
        Address = address;
    }

    public Uri Address { get; }

    /// <summary>Starts <c>dotnet exec</c> of an assembly with an ASP.NET Core server, and waits until <paramref name="readyPath"/> answers 200.</summary>
    public static async Task<ServerProcess> StartAsync(
        string assembly,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string> environment,
        string readyPath,
        CancellationToken cancellationToken)
    {
        var address = new Uri($"http://127.0.0.1:{LocalHosting.Native.LoopbackPort.FindFree()}");
        var start = new ProcessStartInfo("dotnet", ["exec", assembly, .. arguments])
        {
            WorkingDirectory = Path.GetDirectoryName(assembly)!,
            RedirectStandardOutput = true,
        };
        start.Environment["ASPNETCORE_URLS"] = address.ToString();
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        var server = new ServerProcess(process, address);
        using var http = new HttpClient { BaseAddress = address };
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (process.HasExited)
            {
                throw new InvalidOperationException($"{Path.GetFileName(assembly)} ended with code {process.ExitCode} before it was ready.");
            }

            try
            {
                if ((await http.GetAsync(new Uri(readyPath, UriKind.Relative), cancellationToken)).IsSuccessStatusCode)
                {
                    return server;
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(50, cancellationToken);
        }
    }

    /// <summary>Resident set size in bytes, as the operating system counts it (<c>VmRSS</c> of <c>/proc</c>; the working set elsewhere).</summary>
    public long ResidentBytes()
    {
        if (!OperatingSystem.IsLinux())
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }

        var line = File.ReadLines($"/proc/{_process.Id}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
