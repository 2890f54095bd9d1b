using System.Globalization;
using System.Text.Json;
using IOPath = System.IO.Path;

namespace StatusUpdates.NativeServers.Native;

/// <summary>The folder of one Redis server: its configuration and, while it runs, <c>server.json</c>.</summary>
internal sealed class RedisDirectory
{
    private const string Program = "redis-server";

    /// <summary>In total less than the 6 s that Aspire's orchestrator waits after SIGTERM.</summary>
    private static readonly StopStep[] StopSteps = [new(Posix.SigTerm, TimeSpan.FromSeconds(3))];

    private readonly RedisServerOptions _options;
    private readonly string _requestedPath;
    private readonly UnixUser? _user;

    private RedisDirectory(RedisServerOptions options, RedisFlavor flavor, string requestedPath, string path, UnixUser? user)
    {
        _options = options;
        Flavor = flavor;
        _requestedPath = requestedPath;
        Path = path;
        _user = user;
    }

    public string Path { get; }

    /// <summary>The program to run; never <see cref="RedisFlavor.Auto"/>.</summary>
    public RedisFlavor Flavor { get; }

    public string StateFile => IOPath.Combine(Path, "server.json");

    private bool IsTemporary => _options.Directory is null;

    /// <exception cref="InvalidOperationException">redis-server is requested but not in PATH.</exception>
    public static async Task<RedisDirectory> OpenAsync(RedisServerOptions options, CancellationToken cancellationToken)
    {
        var flavor = ChooseFlavor(options.Flavor, ToolPath.Find(Program) is not null);

        // Garnet runs in this assembly, which may be in a place that only root can read; redis-server needs no root privileges.
        var user = flavor == RedisFlavor.RedisServer ? UnixUser.ForServers() : null;
        var requestedPath = options.Directory ?? IOPath.Combine(IOPath.GetTempPath(), $"native-redis-{IOPath.GetRandomFileName()}");
        return new RedisDirectory(options, flavor, requestedPath, await ServerFolder.PrepareAsync(requestedPath, user, cancellationToken), user);
    }

    /// <summary>Stops a server that an earlier owner of the folder left running.</summary>
    public Task StopLeftoverAsync(CancellationToken cancellationToken) => LeftoverServer.StopAsync(StateFile, StopSteps, cancellationToken);

    /// <summary>Writes the server's configuration and returns the guard's spec.</summary>
    public async Task<GuardSpec> ServerSpecAsync(int port, CancellationToken cancellationToken)
    {
        // A file, because it contains the password: all users of the machine can read command-line arguments.
        var file = IOPath.Combine(Path, Flavor == RedisFlavor.Garnet ? "garnet.json" : "redis.conf");
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

        return new GuardSpec
        {
            FileName = Flavor == RedisFlavor.Garnet ? DotnetHost.Path : Program,
            Arguments = Flavor == RedisFlavor.Garnet ? ["exec", DotnetHost.OwnAssembly, GarnetHost.Command, file] : [file],
            WorkingDirectory = Path,
            UserName = _user?.Name,
            StateFile = StateFile,
            TemporaryDirectory = IsTemporary ? _requestedPath : null,
            StopSteps = StopSteps,
        };
    }

    public void DeleteIfTemporary()
    {
        if (IsTemporary)
        {
            ServerFolder.Delete(_requestedPath);
        }
    }

    internal static RedisFlavor ChooseFlavor(RedisFlavor requested, bool hasRedisServer) => (requested, hasRedisServer) switch
    {
        (RedisFlavor.Garnet, _) or (RedisFlavor.Auto, false) => RedisFlavor.Garnet,
        (_, true) => RedisFlavor.RedisServer,
        _ => throw new InvalidOperationException(
            "redis-server is not in PATH. Install it (Debian, Ubuntu: `apt install redis-server`; macOS: `brew install redis`), or use Garnet."),
    };

    private string Configuration(int port) => string.Create(CultureInfo.InvariantCulture, $"""
        port {port}
        bind 127.0.0.1
        dir "{Path}"
        save ""
        appendonly no
        daemonize no
        {(_options.Password is { } password ? $"requirepass {password}" : "")}

        """);
}
