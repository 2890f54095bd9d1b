using System.Net.Sockets;
using Npgsql;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>A PgBouncer before a database of a test's.</summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    private readonly GuardSpec _spec;
    private GuardedProcess _process;
    private readonly DirectoryInfo _folder;

    private PgBouncer(GuardSpec spec, GuardedProcess process, DirectoryInfo folder, string connectionString)
    {
        _spec = spec;
        _process = process;
        _folder = folder;
        ConnectionString = connectionString;
    }

    public static bool IsInstalled => ToolPath.Find("pgbouncer") is not null || File.Exists(DebianPath);

    public string ConnectionString { get; }

    private static string DebianPath => "/usr/sbin/pgbouncer";

    /// <summary>Starts one and returns when it takes connections.</summary>
    public static async Task<PgBouncer> StartAsync(string connectionString, string mode, bool ignoresOptions)
    {
        var target = new NpgsqlConnectionStringBuilder(connectionString);
        var port = LoopbackPort.FindFree();
        var folder = Directory.CreateTempSubdirectory("pgbouncer");
        var file = Path.Combine(folder.FullName, "pgbouncer.ini");
        await File.WriteAllTextAsync(
            file,
            $"""
            [databases]
            * = host=127.0.0.1 port={target.Port} user={target.Username} password={target.Password}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = any
            pool_mode = {mode}
            ignore_startup_parameters = extra_float_digits{(ignoresOptions ? ",options" : "")}
            """);
        var user = UnixUser.ForServers()?.Name;
        if (user is not null && !OperatingSystem.IsWindows())
        {
            folder.UnixFileMode |= UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        }

        var spec = new GuardSpec
        {
            FileName = ToolPath.Find("pgbouncer") ?? DebianPath,
            Arguments = [file],
            UserName = user,
            StopSteps = [new(Posix.SigInt, TimeSpan.FromSeconds(5))],
        };
        var process = await GuardedProcess.StartAsync(spec, output: null, TestTime.Token);
        target.Port = port;
        var bouncer = new PgBouncer(spec, process, folder, target.ConnectionString);
        try
        {
            await bouncer.UntilReadyAsync();
            return bouncer;
        }
        catch
        {
            await bouncer.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends it at once, with all connections, and starts it again.</summary>
    public async Task RestartAsync()
    {
        await _process.KillAsync();
        _process = await GuardedProcess.StartAsync(_spec, output: null, TestTime.Token);
        await UntilReadyAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task UntilReadyAsync()
    {
        var port = new NpgsqlConnectionStringBuilder(ConnectionString).Port;
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (true)
        {
            Assert.False(_process.Exited.IsCompleted, string.Join('\n', _process.LastLines));
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync("127.0.0.1", port, TestTime.Token);
                return;
            }
            catch (SocketException)
            {
                await timer.WaitForNextTickAsync(TestTime.Token);
            }
        }
    }
}
