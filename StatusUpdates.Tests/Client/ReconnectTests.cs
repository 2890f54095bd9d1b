using StatusUpdates.Client;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client;

public sealed class ReconnectTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Across_many_cut_connections_and_two_instances_every_update_arrives_once_and_in_order()
    {
        await using var first = await TestApi.StartAsync(servers);
        await using var second = await first.StartAnotherAsync();
        await using var proxy = new TcpProxy(first.Address.Port);
        using var client = new StatusUpdatesClient(ClientScene.Options(ClientScene.AddressOf(proxy)));
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        const int Rounds = 50;
        const int Step = 14;
        for (var round = 0; round < Rounds; round++)
        {
            // The instances take turns to announce; the other one gets the hint through Redis.
            var writing = PublishAsync(first, round % 2 == 0 ? first : second, Step);
            var start = round * Step;
            await reader.ExpectAsync(start + 1, start + (Step / 2));
            proxy.TargetPort = (round % 3 == 0 ? second : first).Address.Port;
            proxy.Cut();
            await reader.ExpectAsync(start + (Step / 2) + 1, start + Step);
            await writing;
        }

        // Each round starts with an update that was written after the previous cut.
        Assert.InRange(proxy.Accepted, Rounds, Rounds * 20);
    }

    [Fact]
    public async Task Clients_of_a_draining_instance_move_to_another_without_loss()
    {
        await using var first = await TestApi.StartAsync(servers);
        await using var second = await first.StartAnotherAsync();
        await using var proxy = new TcpProxy(first.Address.Port);
        using var client = new StatusUpdatesClient(ClientScene.Options(ClientScene.AddressOf(proxy)));
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        await first.PublishManyAsync("alice", 3);
        await reader.ExpectAsync(1, 3);

        reader.Begin();
        proxy.TargetPort = second.Address.Port;
        await first.App.StopAsync(Token);
        await PublishAsync(first, second, 3);
        await reader.ExpectAsync(4, 6);
        Assert.Single(Sockets.Registry(second).Connections);
    }

    [Fact]
    public async Task While_no_instance_runs_a_feed_keeps_trying_and_misses_nothing()
    {
        await using var first = await TestApi.StartAsync(servers);
        await using var proxy = new TcpProxy(first.Address.Port);
        using var client = new StatusUpdatesClient(ClientScene.Options(ClientScene.AddressOf(proxy)));
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        await first.PublishManyAsync("alice", 2);
        await reader.ExpectAsync(1, 2);

        reader.Begin();
        await first.App.StopAsync(Token);
        var before = proxy.Accepted;
        await Eventually.TrueAsync(() => proxy.Accepted > before + 5);
        await first.CommitAsync("alice");
        await using var second = await first.StartAnotherAsync();
        proxy.TargetPort = second.Address.Port;
        await PublishAsync(first, second, 1);
        await reader.ExpectAsync(3, 4);
    }

    [Fact]
    public async Task A_silently_dead_connection_is_detected_and_replaced()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var proxy = new TcpProxy(api.Address.Port);
        using var client = new StatusUpdatesClient(ClientScene.Options(ClientScene.AddressOf(proxy)) with
        {
            KeepAliveInterval = TimeSpan.FromMilliseconds(500),
            KeepAliveTimeout = TimeSpan.FromSeconds(2),
        });
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        await api.PublishAsync("alice");
        await reader.ExpectAsync(1, 1);

        reader.Begin();
        proxy.Freeze();
        await api.PublishAsync("alice");
        await reader.ExpectAsync(2, 2);
    }

    [Fact]
    public async Task A_temporary_refusal_is_waited_out_for_the_servers_retry_after_up_to_ten_minutes()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var gateway = await Gateway.StartAsync(api.Address);
        await api.PublishAsync("alice");
        var refusals = new Queue<(int Status, int RetryAfter)>([(429, 7), (503, 11), (429, 99_999_999)]);
        gateway.Answer = context => Task.FromResult(
            refusals.TryDequeue(out var refusal) && Gateway.Refuse(context, refusal.Status, refusal.RetryAfter));
        var time = new ManualTime();
        var options = ClientScene.Options(gateway.Address) with { TimeProvider = time };
        using var client = new StatusUpdatesClient(options);
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        reader.Begin();
        foreach (var (seconds, requests) in new[] { (7, 1), (11, 2), (600, 3) })
        {
            var wait = await time.NextWaitAsync(wait => wait != options.ConnectTimeout);
            Assert.InRange(wait.DueTime, TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(seconds) + options.ReconnectMaxDelay);
            Assert.Equal(requests, gateway.Requests.Count);
            time.Pass(wait);
        }

        await reader.ExpectAsync(1, 1);
        Assert.Equal(["GET /ws/status", "GET /ws/status", "GET /ws/status", "GET /ws/status"], gateway.Requests.Select(request => request.Split('?')[0]));
    }

    [Fact]
    public async Task A_request_that_the_api_calls_invalid_throws_to_the_caller()
    {
        await using var api = await TestApi.StartAsync(servers);
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        await using var reader = client.Watch(new() { GenerationId = "bad id" }).Read();

        var error = await Assert.ThrowsAsync<StatusUpdatesException>(reader.NextAsync);
        Assert.Equal((System.Net.HttpStatusCode.BadRequest, "invalid_request"), (error.StatusCode, error.Code));
        Assert.Equal(["generationId"], error.Errors.Keys);
    }

    private static async Task PublishAsync(TestApi log, TestApi announcer, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await announcer.AnnounceAsync(await log.CommitAsync("alice"));
        }
    }
}
