using System.Security.Cryptography;
using Npgsql;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// A private PostgreSQL server: loopback only, superuser <c>postgres</c>, SCRAM password, UTF-8, locale C. It is stopped when this process ends.
/// Root runs it under an unprivileged account. Not thread-safe: one caller starts, stops and kills it; any thread may read the properties.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private const int PasswordLength = 24;
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(30);

    private readonly PostgresServerOptions _options;
    private readonly PostgresDirectory _directory;
    private GuardedProcess? _process;

    private PostgresServer(PostgresServerOptions options, PostgresDirectory directory, string password)
    {
        _options = options;
        _directory = directory;
        Password = password;
    }

    /// <summary>The TCP port on 127.0.0.1. It does not change on restarts.</summary>
    public int Port { get; private set; }

    /// <summary>The password of user <c>postgres</c>.</summary>
    public string Password { get; }

    /// <summary>The installation in use.</summary>
    public PostgresBinaries Binaries => _directory.Binaries;

    /// <summary>The Npgsql connection string for the database <c>postgres</c>.</summary>
    public string ConnectionString => ConnectionStringFor("postgres");

    /// <summary>The postmaster's process id; 0 while it is stopped.</summary>
    public int ProcessId => _process?.Child.Pid ?? 0;

    /// <summary>Completes with the exit code when the current process has exited, for any reason.</summary>
    internal Task<int> Exited => _process?.Exited ?? Task.FromResult(0);

    /// <summary>Starts a server and returns when it accepts connections.</summary>
    /// <exception cref="PostgresNotFoundException">The machine has no server programs.</exception>
    /// <exception cref="ChildProcessException">It did not start, or not in time; the message includes its last lines of output.</exception>
    public static async Task<PostgresServer> StartAsync(PostgresServerOptions options, CancellationToken cancellationToken = default)
    {
        NativePlatform.ThrowIfUnsupported();
        var directory = await PostgresDirectory.OpenAsync(options, cancellationToken);
        try
        {
            await directory.StopLeftoverAsync(cancellationToken);
            var password = await directory.InitializeAsync(PasswordOfLength(PasswordLength), cancellationToken);
            var server = new PostgresServer(options, directory, password);
            await server.StartWithPortRetryAsync(cancellationToken);
            return server;
        }
        catch
        {
            // No process is left: each step above stops its own when it fails.
            directory.DeleteIfTemporary();
            throw;
        }
    }

    /// <summary>The Npgsql connection string for another database.</summary>
    public string ConnectionStringFor(string database) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = Port,
        Username = _options.UserName,
        Password = Password,
        Database = database,
    }.ConnectionString;

    /// <summary>Stops it and waits until it has exited. If the mode takes longer than 30 s, the guard stops it by force.</summary>
    public async Task StopAsync(StopMode mode = StopMode.Fast, CancellationToken cancellationToken = default)
    {
        if (_process is { } process)
        {
            await process.StopAsync(SignalOf(mode), StopTimeout, cancellationToken);
            _process = null;
        }
    }

    /// <summary>Stops it if it is running, and starts it again with the same port and data.</summary>
    public async Task RestartAsync(StopMode mode = StopMode.Fast, CancellationToken cancellationToken = default)
    {
        await StopAsync(mode, cancellationToken);
        await StartProcessAsync(Port, cancellationToken);
    }

    /// <summary>
    /// Kills the postmaster and every backend (SIGKILL), like a power failure. <see cref="RestartAsync"/> starts it again.
    /// </summary>
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
        if (_process is { } process)
        {
            // Temporary data is deleted below and needs no checkpoint.
            await process.StopAsync(_directory.IsTemporary ? Posix.SigQuit : Posix.SigInt, StopTimeout, CancellationToken.None);
            _process = null;
        }

        _directory.DeleteIfTemporary();
    }

    internal static string PasswordOfLength(int length) =>
        RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", length);

    private static int SignalOf(StopMode mode) => mode switch
    {
        StopMode.Fast => Posix.SigInt,
        StopMode.Immediate => Posix.SigQuit,
        StopMode.Smart => Posix.SigTerm,
        _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "Must be Fast, Immediate or Smart."),
    };

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
        var process = await GuardedProcess.StartAsync(_directory.ServerSpec(port), _options.Output, cancellationToken);
        try
        {
            await WaitUntilReadyAsync(process, cancellationToken);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }

        _process = process;
    }

    private async Task WaitUntilReadyAsync(GuardedProcess process, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(_options.StartTimeout);
        try
        {
            // Waits for "ready" in the eighth line of postmaster.pid, as pg_ctl does.
            while (PostmasterFile.Read(_directory.Data) is not { IsReady: true } postmaster || postmaster.Pid != process.Child.Pid)
            {
                if (process.Exited.IsCompleted)
                {
                    throw ChildProcessException.Ended("postgres", await process.Exited, process.LastLines);
                }

                await Task.Delay(TimeSpan.FromMilliseconds(10), timeout.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw ChildProcessException.NotReady("postgres", _options.StartTimeout, process.LastLines);
        }
    }
}
