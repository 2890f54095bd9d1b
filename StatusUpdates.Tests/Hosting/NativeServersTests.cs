using Npgsql;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.EndToEnd;

namespace StatusUpdates.Tests.Hosting;

/// <summary>The app model on native servers, run by Aspire: what the integration and the local run add to it.</summary>
[Collection(BreakableSystem.Name)]
public sealed class NativeServersTests(BreakableSystem own, RunningSystem system)
{
    /// <summary>What an application consists of.</summary>
    private static readonly string[] Processes = ["api", "postgres", "redis", "worker-1", "worker-2"];

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Two_applications_run_side_by_side_with_addresses_and_processes_of_their_own()
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

    [Fact]
    public async Task A_killed_process_of_any_kind_is_started_again_at_its_old_address()
    {
        var host = await own.HostAsync(Token);
        var app = host.Application;
        var (api, db) = (app.GetEndpoint("api"), await app.GetConnectionStringAsync("statusdb", Token));

        foreach (var resource in new[] { "worker-1", "redis", "postgres", "api" })
        {
            var old = await host.ProcessIdAsync(resource, Token);
            Posix.Signal(old, Posix.SigKill);
            await host.ProcessIdAsync(resource, Token, notThat: old);
        }

        Assert.NotNull(await RestartsAsync(app, "postgres"));
        Assert.Equal(api, app.GetEndpoint("api"));
        await host.UntilHealthyAsync(Token);
        await using var source = NpgsqlDataSource.Create(db ?? "");
        await using var command = source.CreateCommand("select 1");
        Assert.Equal(1, await command.ExecuteScalarAsync(Token));
    }

    [Fact]
    public async Task A_stopped_resource_stays_stopped_until_it_is_started_and_has_its_data_then()
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
            Assert.NotEqual(old, await host.ProcessIdAsync(resource, Token, notThat: old));
            Assert.Equal(restarts, await RestartsAsync(app, resource));
        }

        await UntilAsync(async () => Equals(42, await ExecuteAsync(app, "select id from kept")));
    }

    [Fact]
    public async Task Projects_are_given_the_variables_that_Aspire_gives_for_containers()
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
    }

    [Fact]
    public async Task The_dashboard_s_commands_give_a_token_that_works_a_generation_of_each_type_and_the_way_to_psql()
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

    [Fact]
    public async Task Data_that_was_made_with_another_password_opens_with_the_new_one_and_a_stop_leaves_no_process()
    {
        List<ProcessIdentity> processes = [];
        await using (var host = await TestAppHost.CreateAsync(Token))
        {
            // As an earlier run left it.
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

        // What a stop leaves to the orchestrator ends a moment later.
        while (processes.Exists(process => process.IsAlive))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), Token);
        }
    }

    [Theory]
    [InlineData("--NativeServers:Mode=sometimes", "NativeServers:Mode is 'sometimes'; it must be Auto, Always or Never.")]
    [InlineData("--NativeServers:Ports:redis=70000", "NativeServers:Ports:redis is '70000'; it must be a port, 1 to 65535, or 0 for a free one.")]
    [InlineData("--Ports:api=x", "Ports:api is 'x'; it must be a port, 1 to 65535.")]
    public async Task A_setting_out_of_range_is_an_error_that_names_it_and_what_is_allowed(string argument, string expected)
    {
        var refused = await Assert.ThrowsAsync<DistributedApplicationException>(() => TestAppHost.CreateAsync(Token, argument));
        Assert.Equal(expected, refused.Message);
    }

    /// <summary>How often it was started again unasked, as the dashboard shows it.</summary>
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

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        while (true)
        {
            try
            {
                if (await condition())
                {
                    return;
                }
            }
            catch (NpgsqlException)
            {
                // Still starting.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), Token);
        }
    }
}
