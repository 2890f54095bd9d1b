using Npgsql;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

/// <summary>
/// What is left behind when the AppHost is killed or stops. Above the small size, the tests also require what is promised for a machine that is not
/// busy: that everything is gone after 10 s.
/// </summary>
[Long]
public sealed class AppHostDeathTests : IDisposable
{
    private static readonly TimeSpan Grace = ScenarioSize.Scale == 1 ? TestTime.Patience : TimeSpan.FromSeconds(10);

    private readonly string _state = Path.Combine(Path.GetTempPath(), $"status-updates-death-{Path.GetRandomFileName()}");
    private readonly Dictionary<string, int> _ports = new()
    {
        ["postgres"] = LoopbackPort.FindFree(),
        ["redis"] = LoopbackPort.FindFree(),
        ["api"] = LoopbackPort.FindFree(),
        ["dashboard"] = LoopbackPort.FindFree(),
        ["telemetry"] = LoopbackPort.FindFree(),
        ["resources"] = LoopbackPort.FindFree(),
    };

    public void Dispose()
    {
        ServerFolder.Delete(_state);
    }

    // One test, because starting the whole application takes longer than everything that is checked here.
    [Fact]
    public async Task The_AppHost_prints_its_addresses_refuses_a_second_run_and_leaves_only_its_data_when_killed_at_random_moments_or_stopped()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "finds the processes in /proc");
        var cancellation = TestTime.Token;
        var kills = ScenarioSize.Of(small: 3, full: 30);
        await StartAndKillAsync(latest: 1500, cancellation); // while initdb runs
        await using (var first = AppHostProcess.Start(_state, _ports))
        {
            await first.UntilReadyAsync();
            await AssertPrintsAddressesAsync(first, cancellation);
            await AssertRefusesASecondRunAsync();
            await ExecuteAsync("create table kept (id int); insert into kept values (42)", cancellation);
            Assert.NotEmpty(Leftovers()); // shows that leftovers would be found
            first.Signal(Posix.SigKill);
            await AssertNothingIsLeftAsync(cancellation);
        }

        for (var kill = 2; kill < kills; kill++)
        {
            await StartAndKillAsync(latest: 5000, cancellation);
        }

        await using (var again = AppHostProcess.Start(_state, _ports))
        {
            await again.UntilReadyAsync();
            Assert.Equal(42, await ScalarAsync("select id from kept", cancellation));
            again.Signal(Posix.SigKill);
        }

        // At once, while the guards of the previous run are still at work.
        await using (var last = AppHostProcess.Start(_state, _ports))
        {
            await last.UntilReadyAsync();
            Assert.Equal(42, await ScalarAsync("select id from kept", cancellation));
            last.Interrupt();
            Assert.Equal(0, await last.UntilExitAsync());
            await AssertNothingIsLeftAsync(cancellation);
        }

        Assert.False(File.Exists(Path.Combine(_state, "resources.json")));

        // The next run would have its data: to check that, starting the server alone is enough.
        await using var server = await PostgresServer.StartAsync(new() { Directory = Path.Combine(_state, "postgres") }, cancellation);
        Assert.Equal(42, await ScalarOfAsync(server.ConnectionStringFor("statusdb"), "select id from kept", cancellation));
    }

    [Fact]
    public async Task A_port_in_use_is_an_error_that_names_it_its_holder_and_the_setting_that_changes_it()
    {
        using var holder = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, _ports["redis"]);
        holder.Start();

        await using var refused = AppHostProcess.Start(_state, _ports);

        Assert.Equal(1, await refused.UntilExitAsync());
        Assert.Contains($"Port {_ports["redis"]} for redis is taken", refused.Output, StringComparison.Ordinal);
        Assert.Contains("NativeServers__Ports__redis", refused.Output, StringComparison.Ordinal);
        if (OperatingSystem.IsLinux())
        {
            Assert.Contains($"(process {Environment.ProcessId})", refused.Output, StringComparison.Ordinal);
        }
    }

    private async Task AssertPrintsAddressesAsync(AppHostProcess host, CancellationToken cancellationToken)
    {
        foreach (var expected in new[] { $"http://localhost:{_ports["api"]}/scalar", $"http://localhost:{_ports["dashboard"]}/login?t=", _state, "set TELEGRAM_BOT_TOKEN" })
        {
            Assert.Contains(expected, host.Output, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("warn:", host.Output, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_state, "resources.json")));
        Assert.Contains("/login?t=", await AppHostProcess.PropertyOfAsync(_state, "dashboard", "url", cancellationToken), StringComparison.Ordinal);
        foreach (var resource in new[] { "postgres", "statusdb", "redis" })
        {
            Assert.Contains("127.0.0.1", await AppHostProcess.PropertyOfAsync(_state, resource, "connectionString", cancellationToken), StringComparison.Ordinal);
        }
    }

    private async Task AssertRefusesASecondRunAsync()
    {
        await using var second = AppHostProcess.Start(_state, _ports);
        Assert.Equal(1, await second.UntilExitAsync());
        Assert.Contains("Another run (process ", second.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", second.Output, StringComparison.Ordinal);
    }

    private async Task StartAndKillAsync(int latest, CancellationToken cancellationToken)
    {
        var moment = Random.Shared.Next(latest);
        await using var doomed = AppHostProcess.Start(_state, _ports);
        await Task.Delay(moment, cancellationToken);
        doomed.Signal(Posix.SigKill);
        TestContext.Current.SendDiagnosticMessage("killed after {0} ms", moment);
        await AssertNothingIsLeftAsync(cancellationToken);
    }

    private async Task AssertNothingIsLeftAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Grace);
        while (Leftovers() is { Count: > 0 } left)
        {
            Assert.False(limit.IsCancellationRequested, $"After {Grace.TotalSeconds} s there is still: {string.Join("; ", left)}");
            await Task.Delay(TimeSpan.FromMilliseconds(250), cancellationToken); // each check reads every process of the machine
        }
    }

    /// <summary>Processes that were started for our state folder, and those of our ports that are in use.</summary>
    private List<string> Leftovers()
    {
        var processes = Directory.EnumerateDirectories("/proc")
            .Where(folder => Path.GetFileName(folder).All(char.IsAsciiDigit))
            .Where(folder => Read($"{folder}/cmdline").Contains(_state, StringComparison.Ordinal)
                || Read($"{folder}/environ").Contains(_state, StringComparison.Ordinal)
                || WorkingDirectoryOf(folder).StartsWith(_state, StringComparison.Ordinal))
            .Select(folder => $"process {Path.GetFileName(folder)}: {Read($"{folder}/cmdline").Replace('\0', ' ')}")
            .Where(text => !text.EndsWith(": ", StringComparison.Ordinal)); // a zombie that is not reaped yet
        var ports = _ports.Where(port => !LoopbackPort.IsFree(port.Value)).Select(port => $"port {port.Value} of {port.Key}");
        return [.. processes, .. ports];
    }

    private static string Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string WorkingDirectoryOf(string folder)
    {
        try
        {
            return new FileInfo($"{folder}/cwd").LinkTarget ?? "";
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken) => await ScalarAsync(sql, cancellationToken);

    private async Task<object?> ScalarAsync(string sql, CancellationToken cancellationToken) =>
        await ScalarOfAsync(await AppHostProcess.PropertyOfAsync(_state, "statusdb", "connectionString", cancellationToken), sql, cancellationToken);

    private static async Task<object?> ScalarOfAsync(string connectionString, string sql, CancellationToken cancellationToken)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(cancellationToken);
    }
}
