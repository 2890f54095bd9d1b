using Npgsql;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Scenarios.BadDay;

/// <summary>
/// A primary and a standby that streams from it, behind one address. The standby can be made to lag and to take over; then a new standby can be
/// created from it. Not thread-safe.
/// </summary>
internal sealed class FailoverPair : IAsyncDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"failover-{Guid.NewGuid():N}");
    private PostgresServer? _standby;
    private TcpProxy? _stream;
    private int _number;

    private FailoverPair(PostgresServer primary)
    {
        Primary = primary;
        Address = new TcpProxy(primary.Port);
    }

    public static async Task<FailoverPair> StartAsync() =>
        new(await PostgresServer.StartAsync(new PostgresServerOptions(), TestTime.Token));

    /// <summary>Whether the machine has <c>pg_basebackup</c>, which creates a standby.</summary>
    public bool CanFailOver => BaseBackup is not null;

    public PostgresServer Primary { get; private set; }

    /// <summary>Where clients connect to, whichever server is the primary.</summary>
    public TcpProxy Address { get; }

    // Next to the server, or next to the target of a link to it. It is a client program, which not every server folder has.
    private string? BaseBackup => new[]
    {
        Primary.Binaries.Postgres, File.ResolveLinkTarget(Primary.Binaries.Postgres, returnFinalTarget: true)?.FullName,
    }
    .Select(postgres => Path.Combine(Path.GetDirectoryName(postgres) ?? "", "pg_basebackup"))
    .FirstOrDefault(File.Exists);

    /// <summary>The connection string of a database on the primary itself.</summary>
    public string DirectTo(string database) => Primary.ConnectionStringFor(database);

    /// <summary>The connection string of a database, as clients use it.</summary>
    public string ConnectionStringFor(string database) =>
        new NpgsqlConnectionStringBuilder(Primary.ConnectionStringFor(database)) { Port = Address.Port, MaxPoolSize = 30 }.ConnectionString;

    /// <summary>Creates a standby that follows the primary.</summary>
    public async Task AddStandbyAsync()
    {
        _stream = new TcpProxy(Primary.Port);
        var options = new PostgresServerOptions { Directory = Path.Combine(_folder, $"{++_number}"), Binaries = Primary.Binaries };
        var directory = await PostgresDirectory.OpenAsync(options, TestTime.Token);
        await directory.SavePasswordAsync(Primary.Password, TestTime.Token);
        await GuardedProcess.RunAsync(
            new GuardSpec
            {
                FileName = BaseBackup!,
                Arguments =
                [
                    "--pgdata", directory.Data, "--write-recovery-conf", "--checkpoint", "fast", "--wal-method", "stream",
                    "--dbname", $"host=127.0.0.1 port={_stream.Port} user=postgres password={Primary.Password}",
                ],
                UserName = directory.Folder.User?.Name,
                StopSteps = [new StopStep(Posix.SigTerm, TimeSpan.FromSeconds(1))],
            },
            TestTime.Token);
        _standby = await PostgresServer.StartAsync(options, TestTime.Token);

        // It accepts connections before it receives anything.
        await using var primary = TestDatabase.At(Primary.ConnectionString + ";Pooling=false");
        await primary.UntilAsync("SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')");
    }

    /// <summary>From now on the standby receives nothing more.</summary>
    public void LetLag() => _stream!.FreezeForGood();

    /// <summary>
    /// The primary goes away and the standby takes over, with what it has received. No client is connected while <paramref name="inspect"/> gets both:
    /// first the old primary, with everything that was committed there, then the new one.
    /// </summary>
    public async Task FailOverAsync(Func<PostgresServer, PostgresServer, Task> inspect)
    {
        var (old, standby) = (Primary, _standby!);
        Address.TargetPort = LoopbackPort.FindFree();
        Address.Cut();
        await using (var connection = new NpgsqlConnection(old.ConnectionString + ";Pooling=false"))
        {
            // Everything in progress there ends, committed or not.
            await connection.OpenAsync(TestTime.Token);
            await using var command = new NpgsqlCommand(
                """
                SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender')
                """,
                connection);
            await command.ExecuteNonQueryAsync(TestTime.Token);
        }

        await _stream!.DisposeAsync();
        _stream = null;
        await using (var connection = new NpgsqlConnection(standby.ConnectionString + ";Pooling=false"))
        {
            await connection.OpenAsync(TestTime.Token);
            await using var command = new NpgsqlCommand("SELECT pg_promote(true, 60)", connection);
            Assert.Equal(true, await command.ExecuteScalarAsync(TestTime.Token));
        }

        await inspect(old, standby);
        await old.KillAsync();
        await old.DisposeAsync();
        Primary = standby;
        _standby = null;
        Address.TargetPort = standby.Port;
    }

    public async ValueTask DisposeAsync()
    {
        await Address.DisposeAsync();
        if (_stream is not null)
        {
            await _stream.DisposeAsync();
        }

        if (_standby is not null)
        {
            await _standby.DisposeAsync();
        }

        await Primary.DisposeAsync();
        ServerFolder.Delete(_folder);
    }
}
