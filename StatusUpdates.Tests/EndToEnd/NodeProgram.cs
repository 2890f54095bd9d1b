using System.Diagnostics;
using System.Text.Json;
using System.Threading.Channels;
using StackExchange.Redis;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>A JavaScript program that runs alongside the test and prints JSON lines.</summary>
internal sealed class NodeProgram : IAsyncDisposable
{
    /// <summary>Where the scripts and their packages are.</summary>
    public static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "EndToEnd", "foreign-clients");
    private static readonly Lazy<Task> Packages = new(InstallAsync);

    private readonly Process _process;
    private readonly Channel<JsonElement> _lines = Channel.CreateUnbounded<JsonElement>();
    private readonly Task _reading;

    private NodeProgram(Process process)
    {
        _process = process;
        _reading = ReadAsync();
    }

    /// <summary>Installs the packages of the foreign clients once, then runs one of their scripts.</summary>
    public static async Task<NodeProgram> StartAsync(string script, ConfigurationOptions? redis, params string[] arguments)
    {
        await InstalledAsync();
        var start = new ProcessStartInfo("node", [script, .. arguments]) { WorkingDirectory = Folder, RedirectStandardInput = true, RedirectStandardOutput = true };
        if (redis is not null)
        {
            var (host, port) = redis.EndPoints[0] switch
            {
                System.Net.DnsEndPoint dns => (dns.Host, dns.Port),
                System.Net.IPEndPoint ip => (ip.Address.ToString(), ip.Port),
                var other => throw new InvalidOperationException($"Unsupported endpoint: {other}"),
            };
            start.Environment["REDIS_HOST"] = host;
            start.Environment["REDIS_PORT"] = port.ToString(System.Globalization.CultureInfo.InvariantCulture);
            start.Environment["REDIS_PASSWORD"] = redis.Password;
        }

        return new NodeProgram(Process.Start(start)!);
    }

    /// <summary>Installs the packages of the foreign clients once; skips the test where that is not possible.</summary>
    public static async Task InstalledAsync()
    {
        Assert.SkipWhen(!IsInstalled("node") || !IsInstalled("npm"), "Node.js and npm are not installed, so no foreign client can run.");
        await Packages.Value;
    }

    public async Task<JsonElement> NextAsync(CancellationToken cancellationToken) => await _lines.Reader.ReadAsync(cancellationToken);

    /// <summary>Writes a line to the program's standard input.</summary>
    public async Task SayAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>All further lines until the program exits by itself.</summary>
    public async Task<IReadOnlyList<JsonElement>> RestAsync(CancellationToken cancellationToken)
    {
        var rest = new List<JsonElement>();
        await foreach (var line in _lines.Reader.ReadAllAsync(cancellationToken))
        {
            rest.Add(line);
        }

        await _process.WaitForExitAsync(cancellationToken);
        Assert.Equal(0, _process.ExitCode);
        return rest;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _reading;
        _process.Dispose();
    }

    private static bool IsInstalled(string tool) => ToolPath.Find(tool) is not null;

    private static async Task InstallAsync()
    {
        using var npm = Process.Start(new ProcessStartInfo("npm", ["ci", "--no-audit", "--no-fund", "--silent"]) { WorkingDirectory = Folder })!;
        await npm.WaitForExitAsync();
        Assert.SkipWhen(npm.ExitCode != 0, "npm could not install the foreign clients' packages.");
    }

    private async Task ReadAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            using var json = JsonDocument.Parse(line);
            await _lines.Writer.WriteAsync(json.RootElement.Clone());
        }

        _lines.Writer.Complete();
    }
}
