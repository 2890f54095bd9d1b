#if !ASPIRE
using System.Net;
using Npgsql;
using StatusUpdates.LocalHosting.Native;

namespace StatusUpdates.Tests.Hosting;

/// <summary>What the local engine does beyond what every engine does.</summary>
public sealed class LocalEngineTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Two_applications_run_side_by_side_and_leave_no_process()
    {
        using var limit = CancelAfterLimit();
        await using var firstBuilder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.StatusUpdates_AppHost>(limit.Token);
        await using var secondBuilder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.StatusUpdates_AppHost>(limit.Token);
        var first = await firstBuilder.BuildAsync(limit.Token);
        var second = await secondBuilder.BuildAsync(limit.Token);
        await Task.WhenAll(first.StartAsync(limit.Token), second.StartAsync(limit.Token));
        foreach (var app in new[] { first, second })
        {
            await app.ResourceNotifications.WaitForResourceHealthyAsync("api", limit.Token);
            using var client = app.CreateHttpClient("api");
            using var answer = await client.GetAsync(new Uri("/health", UriKind.Relative), limit.Token);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        Assert.NotEqual(first.GetEndpoint("api"), second.GetEndpoint("api"));
        List<int> pids = [.. first.GetProcessIds("api"), .. first.GetProcessIds("postgres"), .. second.GetProcessIds("redis"), .. second.GetProcessIds("worker")];
        await first.DisposeAsync();
        await second.DisposeAsync();
        Assert.All(pids, pid => Assert.Null(ProcessIdentity.Of(pid)));
    }

    [Fact]
    public async Task A_killed_process_of_any_kind_is_started_again_at_its_old_address()
    {
        using var limit = CancelAfterLimit();
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.StatusUpdates_AppHost>(limit.Token);
        await using var app = await builder.BuildAsync(limit.Token);
        await app.StartAsync(limit.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("api", limit.Token);
        var (api, db) = (app.GetEndpoint("api"), await app.GetConnectionStringAsync("statusdb", limit.Token));

        foreach (var resource in new[] { "api", "redis", "postgres" })
        {
            var old = Assert.Single(app.GetProcessIds(resource));
            Posix.Signal(old, Posix.SigKill);
            await app.Engine.Board.UntilAsync(resource, all => all[0].IsHealthy && all[0].ProcessId != old, limit.Token);
        }

        Assert.Equal(api, app.GetEndpoint("api"));
        await using var source = NpgsqlDataSource.Create(db ?? "");
        await using var command = source.CreateCommand("select 1");
        Assert.Equal(1, await command.ExecuteScalarAsync(limit.Token));
    }

    [Fact]
    public async Task A_stopped_resource_stays_stopped_until_it_is_started()
    {
        using var limit = CancelAfterLimit();
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.StatusUpdates_AppHost>(limit.Token);
        await using var app = await builder.BuildAsync(limit.Token);
        await app.StartAsync(limit.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("redis", limit.Token);
        var old = Assert.Single(app.GetProcessIds("redis"));

        Assert.True((await app.ResourceCommands.ExecuteCommandAsync("redis", "stop", limit.Token)).Success);
        await app.ResourceNotifications.WaitForResourceAsync("redis", KnownResourceStates.Exited, limit.Token);
        Assert.Null(ProcessIdentity.Of(old));
        await Assert.ThrowsAsync<DistributedApplicationException>(() => app.ResourceNotifications.WaitForResourceHealthyAsync("redis", limit.Token));

        Assert.True((await app.ResourceCommands.ExecuteCommandAsync("redis", "start", limit.Token)).Success);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("redis", limit.Token);
        Assert.NotEqual(old, Assert.Single(app.GetProcessIds("redis")));
        Assert.False((await app.ResourceCommands.ExecuteCommandAsync("worker", "stop", limit.Token)).Success); // of two replicas, which?
        Assert.False((await app.ResourceCommands.ExecuteCommandAsync("redis", "dance", limit.Token)).Success);
    }

    private static CancellationTokenSource CancelAfterLimit()
    {
        var source = CancellationTokenSource.CreateLinkedTokenSource(TestTime.Token);
        source.CancelAfter(Limit);
        return source;
    }
}
#endif
