using Npgsql;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.EndToEnd;

namespace StatusUpdates.Tests.Hosting;

/// <summary>The app model on native servers, run by Aspire: tests what the integration and the local run add to it.</summary>
[Collection(BreakableSystem.Name)]
public sealed class NativeServersTests(BreakableSystem own, RunningSystem system)
{
    /// <summary>The processes of one application.</summary>
    private static readonly string[] Processes = ["api", "postgres", "redis", "worker-1", "worker-2"];

    private static CancellationToken Token => TestTime.Token;

    [Long]
    [Fact]
    public async Task Two_applications_run_side_by_side_with_their_own_addresses_and_processes()
    {
        var hosts = await Task.WhenAll(own.HostAsync(Token), system.HostAsync());

        var processes = new HashSet<int>();
        foreach (var host in hosts)
        {
            await host.UntilHealthyAsync(Token);
            foreach (var resource in Processes)
            {
                Assert.True(processes.Add(await host.ProcessIdAsync(resource, Token)), resource);
            }
        }

        Assert.NotEqual(hosts[0].Application.GetEndpoint("api"), hosts[1].Application.GetEndpoint("api"));
    }

    [Long]
    [Fact]
    public async Task A_killed_process_of_any_kind_is_restarted_at_its_old_address()
    {
        var host = await own.HostAsync(Token);
        var app = host.Application;
        var (api, db) = (app.GetEndpoint("api"), await app.GetConnectionStringAsync("statusdb", Token));

        foreach (var resource in new[] { "worker-1", "redis", "postgres", "api" })
        {
            var old = await host.ProcessIdAsync(resource, Token);
            Posix.Signal(old, Posix.SigKill);
            await host.ProcessIdAsync(resource, Token, otherThan: old);
        }

        Assert.NotNull(await RestartsAsync(app, "postgres"));
        Assert.Equal(api, app.GetEndpoint("api"));
        await host.UntilHealthyAsync(Token);
        await using var source = NpgsqlDataSource.Create(db ?? "");
        await using var command = source.CreateCommand("select 1");
        Assert.Equal(1, await command.ExecuteScalarAsync(Token));
    }

    [Long]
    [Fact]
    public async Task A_stopped_resource_stays_stopped_until_it_is_started_and_then_still_has_its_data()
    {
        var host = await own.HostAsync(Token);
        var app = host.Application;
        await ExecuteAsync(app, "create table kept (id int); insert into kept values (42)");
        foreach (var resource in new[] { "redis", "postgres" })
        {
            var old = await host.ProcessIdAsync(resource, Token);
            var restarts = await RestartsAsync(app, resource);

            Assert.True((await app.ResourceCommands.ExecuteCommandAsync(resource, KnownResourceCommands.StopCommand, Token)).Success);
            await app.ResourceNotifications.WaitForResourceAsync(resource, [.. KnownResourceStates.TerminalStates], Token);
            Assert.Null(ProcessIdentity.Of(old));

            Assert.True((await app.ResourceCommands.ExecuteCommandAsync(resource, KnownResourceCommands.StartCommand, Token)).Success);
            Assert.NotEqual(old, await host.ProcessIdAsync(resource, Token, otherThan: old));
            Assert.Equal(restarts, await RestartsAsync(app, resource));
        }

        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    return Equals(42, await ExecuteAsync(app, "select id from kept"));
                }
                catch (NpgsqlException)
                {
                    // Still starting.
                    return false;
                }
            },
            everyMilliseconds: 50);
    }

    [Long]
    [Fact]
    public async Task A_stop_of_what_has_already_stopped_does_not_hide_the_first_crash_after_the_next_start()
    {
        var host = await own.HostAsync(Token);
        var app = host.Application;
        var old = await host.ProcessIdAsync("redis", Token);
        Assert.True((await app.ResourceCommands.ExecuteCommandAsync("redis", KnownResourceCommands.StopCommand, Token)).Success);
        await app.ResourceNotifications.WaitForResourceAsync("redis", [.. KnownResourceStates.TerminalStates], Token);

        // Whether it reports success does not matter.
        await app.ResourceCommands.ExecuteCommandAsync("redis", KnownResourceCommands.StopCommand, Token);
        Assert.True((await app.ResourceCommands.ExecuteCommandAsync("redis", KnownResourceCommands.StartCommand, Token)).Success);
        var started = await host.ProcessIdAsync("redis", Token, otherThan: old);
        Posix.Signal(started, Posix.SigKill);

        await host.ProcessIdAsync("redis", Token, otherThan: started);
    }

    [Fact]
    public async Task Projects_get_the_variables_that_Aspire_sets_for_containers()
    {
        var host = await system.HostAsync();
        var pid = await host.ProcessIdAsync("worker-1", Token);
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads another process's environment in /proc");
        var variables = (await File.ReadAllTextAsync($"/proc/{pid}/environ", Token)).Split('\0', StringSplitOptions.RemoveEmptyEntries)
            .Select(variable => variable.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);

        var db = new NpgsqlConnectionStringBuilder(variables["ConnectionStrings__statusdb"]);
        Assert.Equal(("127.0.0.1", "postgres", "statusdb"), (db.Host, db.Username, db.Database));
        Assert.Equal(variables["ConnectionStrings__redis"], $"{variables["REDIS_HOST"]}:{variables["REDIS_PORT"]},password={variables["REDIS_PASSWORD"]}");
        Assert.Equal(variables["REDIS_URI"], $"redis://:{variables["REDIS_PASSWORD"]}@{variables["REDIS_HOST"]}:{variables["REDIS_PORT"]}");
        Assert.Equal(variables["STATUSDB_URI"], $"postgresql://postgres:{db.Password}@127.0.0.1:{db.Port}/statusdb");
        Assert.Equal("statusdb", variables["STATUSDB_DATABASENAME"]);
        Assert.Equal("worker", variables["OTEL_SERVICE_NAME"]);
        Assert.StartsWith("http://localhost:", variables["Results__PublicBaseUrl"], StringComparison.Ordinal);
        Assert.True(Path.IsPathFullyQualified(variables["Results__Folder"]));
        Assert.Equal("results", Path.GetFileName(variables["Results__Folder"]));
        Assert.Equal(Path.GetDirectoryName(variables["Results__Folder"]), host.StateDirectory);
    }

    [Fact]
    public async Task The_dashboard_commands_give_a_valid_token_a_generation_of_each_type_and_the_psql_command()
    {
        var app = (await system.HostAsync()).Application;

        var token = await app.ResourceCommands.ExecuteCommandAsync("api", "dev-token", Token);
        Assert.True(token.Success, token.Message);
        foreach (var sample in new[] { "sample-product-card", "sample-sora", "sample-chat" })
        {
            var submitted = await app.ResourceCommands.ExecuteCommandAsync("api", sample, Token);
            Assert.True(submitted.Success, submitted.Message);
        }

        using var client = app.CreateHttpClient("api");
        client.DefaultRequestHeaders.Authorization = new("Bearer", token.Data!.Value);
        var list = await RunningSystem.Data(await client.GetAsync(new Uri("/api/v1/generations", UriKind.Relative), Token), Token);
        Assert.Equal(
            ["chat", "product_card", "sora"],
            list.GetProperty("items").EnumerateArray().Select(generation => generation.GetProperty("type").GetString()!).Distinct().Order());

        var psql = await app.ResourceCommands.ExecuteCommandAsync("postgres", "psql", Token);
        Assert.Matches("^psql 'postgresql://postgres:.+@127.0.0.1:[0-9]+/statusdb'$", psql.Data!.Value);
    }

    [Long]
    [Fact]
    public async Task Data_created_with_another_password_opens_with_the_new_one_and_a_stop_leaves_no_process()
    {
        List<ProcessIdentity> processes = [];
        await using (var host = await TestAppHost.CreateAsync(Token))
        {
            // Data as an earlier run left it.
            await using (await PostgresServer.StartAsync(new() { Directory = Path.Combine(host.StateDirectory, "postgres") }, Token))
            {
            }

            await host.StartAsync(Token);
            Assert.Equal(1, await ExecuteAsync(host.Application, "select 1"));
            foreach (var resource in Processes)
            {
                processes.Add(Assert.NotNull(ProcessIdentity.Of(await host.ProcessIdAsync(resource, Token))));
            }
        }

        // Processes that the orchestrator stops end a moment later.
        await Eventually.TrueAsync(() => !processes.Exists(process => process.IsAlive), everyMilliseconds: 50);
    }

    [Theory]
    [InlineData("--NativeServers:Mode=sometimes", "NativeServers:Mode is 'sometimes'; it must be Auto, Always or Never.")]
    [InlineData("--NativeServers:Ports:redis=70000", "NativeServers:Ports:redis is '70000'; it must be a port, 1 to 65535, or 0 for a free one.")]
    [InlineData("--Ports:api=x", "Ports:api is 'x'; it must be a port, 1 to 65535.")]
    public async Task An_invalid_setting_is_an_error_that_names_it_and_the_allowed_values(string argument, string expected)
    {
        var refused = await Assert.ThrowsAsync<DistributedApplicationException>(() => TestAppHost.CreateAsync(Token, argument));
        Assert.Equal(expected, refused.Message);
    }

    /// <summary>How often the resource was restarted automatically, as the dashboard shows it.</summary>
    private static async Task<object?> RestartsAsync(DistributedApplication app, string resource)
    {
        var now = await app.ResourceNotifications.WaitForResourceHealthyAsync(resource, Token);
        return now.Snapshot.Properties.FirstOrDefault(property => property.Name == "Restarts")?.Value;
    }

    private static async Task<object?> ExecuteAsync(DistributedApplication app, string sql)
    {
        await using var source = NpgsqlDataSource.Create(await app.GetConnectionStringAsync("statusdb", Token) ?? "");
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Token);
    }
}
