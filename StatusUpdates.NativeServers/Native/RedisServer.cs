using System.Globalization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// A private Redis server: loopback only, in memory only. It is stopped when this process ends. Not thread-safe: one caller starts, stops and
/// kills it; any thread may read the properties.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    private readonly RedisServerOptions _options;
    private readonly RedisDirectory _directory;
    private GuardedProcess? _process;

    private RedisServer(RedisServerOptions options, RedisDirectory directory)
    {
        _options = options;
        _directory = directory;
    }

    /// <summary>The running program; never <see cref="RedisFlavor.Auto"/>.</summary>
    public RedisFlavor Flavor => _directory.Flavor;

    /// <summary>The TCP port on 127.0.0.1. It does not change on restarts.</summary>
    public int Port { get; private set; }

    /// <summary>The StackExchange.Redis connection string.</summary>
    public string ConnectionString =>
        string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}{(_options.Password is { } password ? $",password={password}" : "")}");

    /// <summary>The server's process id; 0 while it is stopped.</summary>
    public int ProcessId => _process?.Child.Pid ?? 0;

    /// <summary>Completes with the exit code when the current process has exited, for any reason.</summary>
    internal Task<int> Exited => _process?.Exited ?? Task.FromResult(0);

    /// <summary>Starts a server and returns when it answers PING.</summary>
    /// <exception cref="InvalidOperationException">redis-server is requested but not in PATH.</exception>
    /// <exception cref="ChildProcessException">It did not start, or not in time; the message includes its last lines of output.</exception>
    public static async Task<RedisServer> StartAsync(RedisServerOptions options, CancellationToken cancellationToken = default)
    {
        NativePlatform.ThrowIfUnsupported();
        var server = new RedisServer(options, await RedisDirectory.OpenAsync(options, cancellationToken));
        try
        {
            await server._directory.StopLeftoverAsync(cancellationToken);
            await server.StartWithPortRetryAsync(cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops it and waits until it has exited.</summary>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        if (_process is { } process)
        {
            await process.StopAsync(Posix.SigTerm, StopTimeout, cancellationToken);
            _process = null;
        }
    }

    /// <summary>Stops it if it is running, and starts it again, empty, on the same port.</summary>
    public async Task RestartAsync(CancellationToken cancellationToken = default)
    {
        await StopAsync(cancellationToken);
        await StartProcessAsync(Port, cancellationToken);
    }

    /// <summary>Kills it (SIGKILL). <see cref="RestartAsync"/> starts it again.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            await process.KillAsync();
            _process = null;
        }
    }

    /// <summary>Kills it without waiting for its end.</summary>
    internal void Kill() => _process?.Kill();

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        _directory.DeleteIfTemporary();
    }

    private async Task StartWithPortRetryAsync(CancellationToken cancellationToken)
    {
        if (_options.Port != 0)
        {
            await StartProcessAsync(_options.Port, cancellationToken);
            return;
        }

        // A port that was free when it was chosen may be taken by now. Only then is a failed start retried.
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
                // Retry with another port.
            }
        }
    }

    private async Task StartProcessAsync(int port, CancellationToken cancellationToken)
    {
        Port = port;
        var process = await GuardedProcess.StartAsync(await _directory.ServerSpecAsync(port, cancellationToken), _options.Output, cancellationToken);
        try
        {
            await RedisProbe.WaitUntilReadyAsync(process, port, _options.Password, _options.StartTimeout, cancellationToken);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }

        _process = process;
    }
}
