using System.Security.Cryptography;
using Npgsql;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// A private PostgreSQL server: superuser <c>postgres</c>, SCRAM password, UTF-8, locale C. Root runs it under an unprivileged account.
/// </summary>
public sealed class PostgresServer : NativeServer
{
    private const int PasswordLength = 24;

    private readonly PostgresServerOptions _options;
    private readonly PostgresDirectory _directory;

    private PostgresServer(PostgresServerOptions options, PostgresDirectory directory)
        : base("postgres", directory.Folder, startTimeout: TimeSpan.FromSeconds(60), stopTimeout: TimeSpan.FromSeconds(30))
    {
        _options = options;
        _directory = directory;
    }

    /// <summary>The password of user <c>postgres</c>.</summary>
    public string Password { get; private set; } = "";

    /// <summary>The installation in use.</summary>
    public PostgresBinaries Binaries => _directory.Binaries;

    /// <summary>The Npgsql connection string for the database <c>postgres</c>.</summary>
    public string ConnectionString => ConnectionStringFor("postgres");

    // Temporary data is deleted afterwards and needs no checkpoint.
    private protected override int DisposeSignal => _directory.Folder.IsTemporary ? Posix.SigQuit : Posix.SigInt;

    /// <summary>Starts a server and returns when it accepts connections.</summary>
    /// <exception cref="PostgresNotFoundException">The machine has no server programs.</exception>
    /// <exception cref="ChildProcessException">It did not start, or not in time; the message includes its last lines of output.</exception>
    public static async Task<PostgresServer> StartAsync(PostgresServerOptions options, CancellationToken cancellationToken = default)
    {
        Posix.ThrowIfUnsupported();
        var server = new PostgresServer(options, await PostgresDirectory.OpenAsync(options, cancellationToken));
        await server.StartAsync(cancellationToken);
        return server;
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
    public Task StopAsync(StopMode mode = StopMode.Fast, CancellationToken cancellationToken = default) => StopAsync((int)mode, cancellationToken);

    /// <summary>Stops it if it is running, and starts it again with the same port and data.</summary>
    public Task RestartAsync(StopMode mode = StopMode.Fast, CancellationToken cancellationToken = default) =>
        RestartAsync((int)mode, cancellationToken);

    private protected override async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await _directory.StopLeftoverAsync(cancellationToken);
        var proposed = RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", PasswordLength);
        Password = await _directory.InitializeAsync(proposed, cancellationToken);
    }

    private protected override Task<GuardSpec> SpecAsync(int port, CancellationToken cancellationToken) => Task.FromResult(_directory.ServerSpec(port));

    // "ready" in the eighth line of postmaster.pid, as pg_ctl waits for it.
    private protected override ValueTask<bool> IsReadyAsync(int processId, CancellationToken cancellationToken) =>
        new(PostmasterFile.Read(_directory.Data) is { IsReady: true } postmaster && postmaster.Pid == processId);
}
