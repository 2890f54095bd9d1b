using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace StatusUpdates.NativeServers.Native;

/// <summary>A private Redis server, in memory only.</summary>
public sealed class RedisServer : NativeServer
{
    private readonly string? _password;
    private readonly RedisDirectory _directory;

    private RedisServer(string? password, RedisDirectory directory)
        : base("the Redis server", directory.Folder, startTimeout: TimeSpan.FromSeconds(30), stopTimeout: TimeSpan.FromSeconds(5))
    {
        _password = password;
        _directory = directory;
    }

    /// <summary>The running program; never <see cref="RedisFlavor.Auto"/>.</summary>
    public RedisFlavor Flavor => _directory.Flavor;

    /// <summary>The StackExchange.Redis connection string.</summary>
    public string ConnectionString => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}{(_password is null ? "" : $",password={_password}")}");

    private protected override int DisposeSignal => Posix.SigTerm;

    /// <summary>Starts a server and returns when it answers PING.</summary>
    /// <exception cref="InvalidOperationException">redis-server is requested but not in PATH.</exception>
    /// <exception cref="ChildProcessException">It did not start, or not in time; the message includes its last lines of output.</exception>
    public static async Task<RedisServer> StartAsync(RedisServerOptions options, CancellationToken cancellationToken = default)
    {
        Posix.ThrowIfUnsupported();
        var server = new RedisServer(options.Password, await RedisDirectory.OpenAsync(options, cancellationToken));
        await server.StartAsync(cancellationToken);
        return server;
    }

    /// <summary>Stops it and waits until it has exited.</summary>
    public Task StopAsync(CancellationToken cancellationToken = default) => StopAsync(Posix.SigTerm, cancellationToken);

    /// <summary>Stops it if it is running, and starts it again, empty, on the same port.</summary>
    public Task RestartAsync(CancellationToken cancellationToken = default) => RestartAsync(Posix.SigTerm, cancellationToken);

    private protected override Task PrepareAsync(CancellationToken cancellationToken) => _directory.Folder.StopLeftoverAsync(cancellationToken);

    private protected override Task<GuardSpec> SpecAsync(int port, CancellationToken cancellationToken) => _directory.ServerSpecAsync(port, cancellationToken);

    // With Redis's own protocol (RESP).
    private protected override async ValueTask<bool> IsReadyAsync(int processId, CancellationToken cancellationToken)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, Port, cancellationToken);
            var stream = client.GetStream();
            var login = _password is null ? "" : $"*2\r\n$4\r\nAUTH\r\n${_password.Length}\r\n{_password}\r\n";
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"{login}*1\r\n$4\r\nPING\r\n"), cancellationToken);
            using var reader = new StreamReader(stream, Encoding.ASCII);
            return (_password is null || await reader.ReadLineAsync(cancellationToken) == "+OK")
                && await reader.ReadLineAsync(cancellationToken) == "+PONG";
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }
}
