using System.Diagnostics;
using System.Globalization;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Benchmarks.Servers;

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

    /// <summary>Starts a server that is a part of this program, in a process of its own so that what it takes is its own.</summary>
    public static Task<ServerProcess> StartPartAsync(
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

        // Servers log warnings and worse alone, and those belong into the sight of whoever reads the figures.
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

    /// <summary>Tells the server something; for the parts of this program.</summary>
    /// <returns>Its answer.</returns>
    /// <exception cref="BenchmarkFailedException">It did not succeed.</exception>
    public async Task<string> PostAsync(string path, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { BaseAddress = Address, Timeout = TimeSpan.FromMinutes(5) };
        using var response = await http.PostAsync(new Uri(path, UriKind.Relative), null, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        return response.IsSuccessStatusCode
            ? text
            : throw new BenchmarkFailedException($"{path} was answered {(int)response.StatusCode}: {text}");
    }

    /// <summary>Processor time that it has used, in seconds.</summary>
    public double ProcessorSeconds() => ProcessorTime.Of(_process.Id);

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
