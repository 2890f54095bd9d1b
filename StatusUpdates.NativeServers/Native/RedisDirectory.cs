using System.Globalization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>The folder of one Redis server: its configuration and, while it runs, <c>server.json</c>.</summary>
internal sealed class RedisDirectory(ServerDirectory folder, RedisFlavor flavor, string? password)
{
    private const string Program = "redis-server";

    /// <summary>In total less than the 6 s that Aspire's orchestrator waits after SIGTERM.</summary>
    private static readonly StopStep[] StopSteps = [new(Posix.SigTerm, TimeSpan.FromSeconds(3))];

    public ServerDirectory Folder => folder;

    /// <summary>The program to run; never <see cref="RedisFlavor.Auto"/>.</summary>
    public RedisFlavor Flavor => flavor;

    /// <exception cref="InvalidOperationException">redis-server is requested but not in PATH.</exception>
    public static async Task<RedisDirectory> OpenAsync(RedisServerOptions options, CancellationToken cancellationToken)
    {
        var flavor = ChooseFlavor(options.Flavor, ToolPath.Find(Program) is not null);

        // Garnet runs in this assembly, which may be in a place that only root can read; redis-server needs no root privileges.
        var user = flavor == RedisFlavor.RedisServer ? UnixUser.ForServers() : null;
        var folder = await ServerDirectory.OpenAsync(options.Directory, "native-redis", user, StopSteps, cancellationToken);
        return new(folder, flavor, options.Password);
    }

    /// <summary>Writes the server's configuration and returns the guard's spec.</summary>
    public async Task<GuardSpec> ServerSpecAsync(int port, CancellationToken cancellationToken)
    {
        // In a file, because all users of the machine can read command-line arguments. Garnet reads Redis's format too.
        var file = await folder.WriteAsync("redis.conf", password is null ? "" : $"requirepass {password}\n", cancellationToken);
        string[] address = ["--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1"];
        return flavor == RedisFlavor.RedisServer
            ? folder.SpecOf(Program, [file, .. address, "--save", ""])
            : folder.SpecOf(
                DotnetHost.Path,
                [
                    "exec", DotnetHost.OwnAssembly, GarnetHost.Command, "--config-import-path", file, "--config-import-format", "RedisConf", .. address,
                    "--auth", password is null ? "NoAuth" : "Password", "--memory", "64m", "--index", "1m", "--logger-level", "Warning",
                ]);
    }

    internal static RedisFlavor ChooseFlavor(RedisFlavor requested, bool hasRedisServer) => (requested, hasRedisServer) switch
    {
        (RedisFlavor.Garnet, _) or (RedisFlavor.Auto, false) => RedisFlavor.Garnet,
        (_, true) => RedisFlavor.RedisServer,
        _ => throw new InvalidOperationException(
            "redis-server is not in PATH. Install it (Debian, Ubuntu: `apt install redis-server`; macOS: `brew install redis`), or use Garnet."),
    };
}
