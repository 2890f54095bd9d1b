using System.Diagnostics;
using System.Globalization;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Benchmarks.Servers;

/// <summary>A server under measurement, in its own process.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private readonly Process _process;

    private ServerProcess(Process process, Uri address)
    {
        _process = process;
        Address = address;
    }

    public Uri Address { get; }

    /// <summary>Starts a helper of this program in its own process, so that its resource usage can be measured separately.</summary>
    public static Task<ServerProcess> StartHelperAsync(
        string name, CancellationToken cancellationToken, IReadOnlyDictionary<string, string>? settings = null) =>
        StartAsync(
            typeof(ServerProcess).Assembly.Location,
            [name],
            new Dictionary<string, string>(settings ?? new Dictionary<string, string>()) { ["Logging__LogLevel__Default"] = "Warning" },
            "/ready",
            cancellationToken);

    /// <summary>Starts <c>dotnet exec</c> of an assembly with an ASP.NET Core server, and waits until <paramref name="readyPath"/> answers 200.</summary>
    public static async Task<ServerProcess> StartAsync(
        string assembly,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string> environment,
        string readyPath,
        CancellationToken cancellationToken)
    {
        var address = LoopbackPort.FindFreeAddress();
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

        // Servers log only warnings and errors, which are shown along with the figures.
        process.OutputDataReceived += (_, e) =>
        {
            if (e.Data is { } line)
            {
                Console.Error.WriteLine($"{Path.GetFileNameWithoutExtension(assembly)}: {line}");
            }
        };
        process.BeginOutputReadLine();
        var server = new ServerProcess(process, address);
        using var http = new HttpClient { BaseAddress = address };
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (process.HasExited)
            {
                throw new InvalidOperationException($"{Path.GetFileName(assembly)} exited with code {process.ExitCode} before it was ready.");
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

    /// <summary>Resident set size in bytes (<c>VmRSS</c> of <c>/proc</c>; the working set elsewhere).</summary>
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

    /// <summary>Sends a command to a helper of this program.</summary>
    /// <returns>The response body.</returns>
    /// <exception cref="BenchmarkFailedException">The response has no success status.</exception>
    public async Task<string> PostAsync(string path, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { BaseAddress = Address, Timeout = TimeSpan.FromMinutes(5) };
        using var response = await http.PostAsync(new Uri(path, UriKind.Relative), null, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        return response.IsSuccessStatusCode
            ? text
            : throw new BenchmarkFailedException($"The response to {path} was {(int)response.StatusCode}: {text}");
    }

    /// <summary>Processor time used so far, in seconds.</summary>
    public double ProcessorSeconds() => ProcessorTime.Of(_process.Id);

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
