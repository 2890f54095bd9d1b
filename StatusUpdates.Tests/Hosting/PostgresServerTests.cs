using Npgsql;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

public sealed class PostgresServerTests
{
    private static readonly Dictionary<string, string> NotDurable = new() { ["fsync"] = "off" };

    [Fact]
    public async Task A_server_accepts_connections_and_leaves_no_process_when_disposed()
    {
        var cancellation = TestTime.Token;
        int pid;
        await using (var server = await PostgresServer.StartAsync(new() { Settings = NotDurable }, cancellation))
        {
            pid = server.ProcessId;
            Assert.Equal("UTF8", await ScalarAsync(server, "show server_encoding", cancellation));
            Assert.Equal("off", await ScalarAsync(server, "show fsync", cancellation));
            Assert.Equal(server.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), await ScalarAsync(server, "show port", cancellation));
        }

        Assert.Null(ProcessIdentity.Of(pid));
    }

    [Fact]
    public async Task A_killed_and_restarted_server_has_its_committed_data_on_the_same_port()
    {
        var cancellation = TestTime.Token;
        await using var server = await PostgresServer.StartAsync(new(), cancellation);
        await ScalarAsync(server, "create table kept (id int); insert into kept values (42); select 1", cancellation);
        var (port, pid) = (server.Port, server.ProcessId);
        var backends = ProcessTree.Of(pid).Skip(1).Select(ProcessIdentity.Of).OfType<ProcessIdentity>().ToList();

        await server.KillAsync();

        Assert.NotEmpty(backends);
        Assert.DoesNotContain(backends, backend => backend.IsAlive);
        await server.RestartAsync(cancellationToken: cancellation);
        Assert.Equal(port, server.Port);
        NpgsqlConnection.ClearAllPools();
        Assert.Equal(42, await ScalarAsync(server, "select id from kept", cancellation));
    }

    [Long]
    [Theory]
    [InlineData(StopMode.Fast)]
    [InlineData(StopMode.Immediate)]
    public async Task A_folder_is_reused_with_its_password_and_data(StopMode mode)
    {
        var cancellation = TestTime.Token;
        using var folder = new TemporaryFolder();
        string password;
        await using (var first = await PostgresServer.StartAsync(new() { Directory = folder.Path }, cancellation))
        {
            password = first.Password;
            await ScalarAsync(first, "create table kept (id int); insert into kept values (42); select 1", cancellation);
            await first.StopAsync(mode, cancellation);
        }

        await using var second = await PostgresServer.StartAsync(new() { Directory = folder.Path }, cancellation);
        Assert.Equal(password, second.Password);
        Assert.Equal(42, await ScalarAsync(second, "select id from kept", cancellation));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(folder.Path, "password")));
    }

    [Long]
    [Fact]
    public async Task A_start_first_stops_the_running_server_of_its_folder()
    {
        var cancellation = TestTime.Token;
        using var folder = new TemporaryFolder();
        await using var first = await PostgresServer.StartAsync(new() { Directory = folder.Path, Settings = NotDurable }, cancellation);
        var pid = first.ProcessId;

        await using var second = await PostgresServer.StartAsync(new() { Directory = folder.Path, Settings = NotDurable }, cancellation);

        Assert.Null(ProcessIdentity.Of(pid));
        Assert.Equal(1, await ScalarAsync(second, "select 1", cancellation));
    }

    [Long]
    [Fact]
    public async Task Every_installed_version_starts()
    {
        var cancellation = TestTime.Token;
        var all = await PostgresBinaries.FindAllAsync(cancellation);

        Assert.NotEmpty(all);
        foreach (var binaries in all)
        {
            await using var server = await PostgresServer.StartAsync(new() { Binaries = binaries, Settings = NotDurable }, cancellation);
            var version = Assert.IsType<string>(await ScalarAsync(server, "show server_version", cancellation));
            Assert.StartsWith($"{binaries.Version.Major}.", version, StringComparison.Ordinal);
        }
    }

    private static async Task<object?> ScalarAsync(PostgresServer server, string sql, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(server.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(cancellationToken);
    }
}
