using System.Globalization;
using System.Text.Json;

namespace StatusUpdates.LocalHosting.Native;

/// <summary>
/// A Redis server of our own: loopback only, in memory only. It ends when this process ends. Not thread-safe: one caller starts,
/// stops and kills it; the properties may be read by all.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private const string Program = "redis-server";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly StopStep[] StopSteps = [new(Posix.SigTerm, TimeSpan.FromSeconds(3))];

    private readonly RedisServerOptions _options;
    private readonly string _wantedDirectory;
    private readonly string _directory;
    private readonly UnixUser? _user;
    private GuardedProcess? _process;

    private RedisServer(RedisServerOptions options, RedisFlavor flavor, string wantedDirectory, string directory, UnixUser? user)
    {
        _options = options;
        Flavor = flavor;
        _wantedDirectory = wantedDirectory;
        _directory = directory;
        _user = user;
    }

    /// <summary>What runs: never <see cref="RedisFlavor.Auto"/>.</summary>
    public RedisFlavor Flavor { get; }

    /// <summary>The TCP port on 127.0.0.1. It stays the same over restarts.</summary>
    public int Port { get; private set; }

    /// <summary>For StackExchange.Redis.</summary>
    public string ConnectionString =>
        string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}{(_options.Password is { } password ? $",password={password}" : "")}");

    /// <summary>The server's process id; 0 while it is stopped.</summary>
    public int ProcessId => _process?.Child.Pid ?? 0;

    /// <summary>Completes with the exit code when the present process has ended, for whatever reason.</summary>
    internal Task<int> Exited => _process?.Exited ?? Task.FromResult(0);

    private string StateFile => StateFileIn(_directory);

    /// <summary>Starts a server and returns when it answers PING.</summary>
    /// <exception cref="InvalidOperationException">redis-server is asked for and PATH does not have it.</exception>
    /// <exception cref="ChildProcessException">It did not start, or not in time; the message has its last lines.</exception>
    public static async Task<RedisServer> StartAsync(RedisServerOptions options, CancellationToken cancellationToken = default)
    {
        NativePlatform.ThrowIfUnsupported();
        var flavor = ChooseFlavor(options.Flavor, ToolPath.Find(Program) is not null);
        // Garnet is this assembly, which may lie where only root can read; redis-server needs no privilege of root's.
        var user = flavor == RedisFlavor.RedisServer ? UnixUser.ForServers() : null;
        var wanted = options.Directory ?? Path.Combine(Path.GetTempPath(), $"status-updates-redis-{Path.GetRandomFileName()}");
        var server = new RedisServer(options, flavor, wanted, await ServerFolder.PrepareAsync(wanted, user, cancellationToken), user);
        try
        {
            await StopLeftoverAsync(server._directory, cancellationToken);
            await server.StartOnSomePortAsync(cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops it and waits for its end.</summary>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        if (_process is { } process)
        {
            await process.StopAsync(Posix.SigTerm, Patience, cancellationToken);
            _process = null;
        }
    }

    /// <summary>Stops it if it runs, and starts it again, empty, on the same port.</summary>
    public async Task RestartAsync(CancellationToken cancellationToken = default)
    {
        await StopAsync(cancellationToken);
        await StartProcessAsync(Port, cancellationToken);
    }

    /// <summary>Kills it (SIGKILL). <see cref="RestartAsync"/> brings it back.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            process.Kill();
            await process.DisposeAsync();
            _process = null;
        }
    }

    /// <summary>Kills it and waits for nothing.</summary>
    internal void Kill() => _process?.Kill();

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        if (_options.Directory is null)
        {
            ServerFolder.Delete(_wantedDirectory);
        }
    }

    internal static RedisFlavor ChooseFlavor(RedisFlavor asked, bool hasRedisServer) => (asked, hasRedisServer) switch
    {
        (RedisFlavor.Garnet, _) or (RedisFlavor.Auto, false) => RedisFlavor.Garnet,
        (_, true) => RedisFlavor.RedisServer,
        _ => throw new InvalidOperationException(
            "redis-server is not in PATH. Install it (Debian, Ubuntu: `apt install redis-server`; macOS: `brew install redis`), or use Garnet."),
    };

    /// <summary>Stops a server that an earlier owner of that folder left running.</summary>
    internal static Task StopLeftoverAsync(string directory, CancellationToken cancellationToken) =>
        LeftoverServer.StopAsync(StateFileIn(directory), StopSteps, cancellationToken);

    private static string StateFileIn(string directory) => Path.Combine(directory, "server.json");

    private async Task StartOnSomePortAsync(CancellationToken cancellationToken)
    {
        if (_options.Port != 0)
        {
            await StartProcessAsync(_options.Port, cancellationToken);
            return;
        }

        // A port that is free when looked for may be taken when it is used; only then is a failed start worth another.
        for (var attempt = 1; ; attempt++)
        {
            var port = LoopbackPort.FindFree();
            try
            {
                await StartProcessAsync(port, cancellationToken);
                return;
            }
            catch (ChildProcessException) when (attempt < 5 && !LoopbackPort.IsFree(port))
            {
                // Next port.
            }
        }
    }

    private async Task StartProcessAsync(int port, CancellationToken cancellationToken)
    {
        Port = port;
        // A file and not arguments: every user of the machine can read those, and the password is among them.
        var file = Path.Combine(_directory, Flavor == RedisFlavor.Garnet ? "garnet.json" : "redis.conf");
        await PrivateFile.WriteAsync(
            file,
            Flavor == RedisFlavor.Garnet
                ? JsonSerializer.Serialize(new GarnetHostOptions(port, _options.Password), GarnetHostJson.Default.GarnetHostOptions)
                : Configuration(port),
            cancellationToken);
        if (_user is not null)
        {
            Posix.ChangeOwner(file, _user);
        }

        var process = await GuardedProcess.StartAsync(
            new GuardSpec
            {
                FileName = Flavor == RedisFlavor.Garnet ? DotnetHost.Path : Program,
                Arguments = Flavor == RedisFlavor.Garnet ? ["exec", DotnetHost.OwnAssembly, GarnetHost.Command, file] : [file],
                WorkingDirectory = _directory,
                UserName = _user?.Name,
                StateFile = StateFile,
                TemporaryDirectory = _options.Directory is null ? _wantedDirectory : null,
                StopSteps = StopSteps,
            },
            _options.Output,
            cancellationToken);
        try
        {
            await RedisProbe.UntilReadyAsync(process, port, _options.Password, _options.StartTimeout, cancellationToken);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }

        _process = process;
    }

    private string Configuration(int port) => string.Create(CultureInfo.InvariantCulture, $"""
        port {port}
        bind 127.0.0.1
        dir "{_directory}"
        save ""
        appendonly no
        daemonize no
        {(_options.Password is { } password ? $"requirepass {password}" : "")}

        """);
}
