using System.Net.Sockets;
using Npgsql;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>A PgBouncer in front of a test's database.</summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    private readonly GuardSpec _spec;
    private readonly string _folder;
    private GuardedProcess? _process;

    private PgBouncer(GuardSpec spec, string folder, string connectionString)
    {
        _spec = spec;
        _folder = folder;
        ConnectionString = connectionString;
    }

    public static bool IsInstalled => ToolPath.Find("pgbouncer") is not null || File.Exists(DebianPath);

    public string ConnectionString { get; }

    private static string DebianPath => "/usr/sbin/pgbouncer";

    /// <summary>Starts PgBouncer and returns when it accepts connections.</summary>
    public static async Task<PgBouncer> StartAsync(string connectionString, string mode, bool ignoresOptions)
    {
        var target = new NpgsqlConnectionStringBuilder(connectionString);
        var port = LoopbackPort.FindFree();
        var user = UnixUser.ForServers();
        var folder = Path.Combine(Path.GetTempPath(), $"pgbouncer-{Guid.NewGuid():N}");
        var file = Path.Combine(await ServerFolder.PrepareAsync(folder, user, TestTime.Token), "pgbouncer.ini");
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
        if (user is not null)
        {
            Posix.ChangeOwner(file, user);
        }

        var spec = new GuardSpec
        {
            FileName = ToolPath.Find("pgbouncer") ?? DebianPath,
            Arguments = [file],
            UserName = user?.Name,
            StopSteps = [new(Posix.SigInt, TimeSpan.FromSeconds(5))],
        };
        target.Port = port;
        var bouncer = new PgBouncer(spec, folder, target.ConnectionString);
        try
        {
            await bouncer.RunAsync();
            return bouncer;
        }
        catch
        {
            await bouncer.DisposeAsync();
            throw;
        }
    }

    /// <summary>Kills PgBouncer, with all its connections, and starts it again.</summary>
    public async Task RestartAsync()
    {
        await _process!.KillAsync();
        await RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        ServerFolder.Delete(_folder);
    }

    private async Task RunAsync()
    {
        var process = _process = await GuardedProcess.StartAsync(_spec, TestTime.Token);
        var port = new NpgsqlConnectionStringBuilder(ConnectionString).Port;
        await Eventually.TrueAsync(async () =>
        {
            Assert.False(process.Exited.IsCompleted, string.Join('\n', process.LastLines));
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync("127.0.0.1", port, TestTime.Token);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        });
    }
}
