using Npgsql;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

public sealed class PostgresServerTests
{
    private static readonly Dictionary<string, string> NotDurable = new() { ["fsync"] = "off" };

    [Fact]
    public async Task A_server_takes_connections_and_leaves_nothing_when_disposed()
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
    public async Task Killed_and_restarted_it_has_its_committed_data_on_the_same_port()
    {
        var cancellation = TestTime.Token;
        await using var server = await PostgresServer.StartAsync(new(), cancellation);
        await ScalarAsync(server, "create table kept (id int); insert into kept values (42); select 1", cancellation);
        var (port, pid) = (server.Port, server.ProcessId);
        var backends = ProcessTree.Descendants(pid).Select(ProcessIdentity.Of).OfType<ProcessIdentity>().ToList();

        await server.KillAsync();

        Assert.NotEmpty(backends);
        Assert.DoesNotContain(backends, backend => backend.IsAlive);
        await server.RestartAsync(cancellationToken: cancellation);
        Assert.Equal(port, server.Port);
        NpgsqlConnection.ClearAllPools();
        Assert.Equal(42, await ScalarAsync(server, "select id from kept", cancellation));
    }

    [Theory]
    [InlineData(StopMode.Fast)]
    [InlineData(StopMode.Immediate)]
    public async Task A_folder_is_used_again_with_its_password_and_data(StopMode mode)
    {
        var cancellation = TestTime.Token;
        var folder = Directory.CreateTempSubdirectory("status-updates-test-").FullName;
        try
        {
            string password;
            await using (var first = await PostgresServer.StartAsync(new() { Directory = folder }, cancellation))
            {
                password = first.Password;
                await ScalarAsync(first, "create table kept (id int); insert into kept values (42); select 1", cancellation);
                await first.StopAsync(mode, cancellation);
            }

            await using var second = await PostgresServer.StartAsync(new() { Directory = folder }, cancellation);
            Assert.Equal(password, second.Password);
            Assert.Equal(42, await ScalarAsync(second, "select id from kept", cancellation));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(folder, "password")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_start_stops_the_live_server_of_its_folder_first()
    {
        var cancellation = TestTime.Token;
        var folder = Directory.CreateTempSubdirectory("status-updates-test-").FullName;
        try
        {
            await using var first = await PostgresServer.StartAsync(new() { Directory = folder, Settings = NotDurable }, cancellation);
            var pid = first.ProcessId;

            await using var second = await PostgresServer.StartAsync(new() { Directory = folder, Settings = NotDurable }, cancellation);

            Assert.Null(ProcessIdentity.Of(pid));
            Assert.Equal(1, await ScalarAsync(second, "select 1", cancellation));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Every_version_that_the_machine_offers_starts()
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
