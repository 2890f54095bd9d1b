using System.Collections.Concurrent;
using System.Net;
using StatusUpdates.Egress;
using StatusUpdates.Tests.Egress;

namespace StatusUpdates.Tests.Webhooks;

/// <summary>What deliveries share, and that no one takes the share of others.</summary>
public sealed class DeliverySharesTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_zone_that_does_not_answer_stops_no_other_users_deliveries_and_waiting_for_a_lookup_is_not_an_attempt()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        for (var i = 0; i < 20; i++)
        {
            await scene.RegisterAsync($"http://{i}.dead.example:{receiver.Port}/", "mallory");
        }

        await scene.RegisterAsync($"http://alive.example:{receiver.Port}/hook", "alice");
        var names = new HalfDeadResolver();
        await using var worker = await scene.StartWorkerAsync(names);
        await scene.SubmitAsync("mallory");
        await Eventually.TrueAsync(() => names.Dead.Count == HostLookups.MaxPerOwner);

        var generation = await scene.SubmitAsync("alice");
        await scene.AppendAsync(generation, count: 20, userId: "alice");

        await Eventually.TrueAsync(() => receiver.Taken.Count == 21);
        await scene.Database.UntilAsync("SELECT count(*) = 21 FROM webhook_deliveries WHERE state = 'delivered' AND attempt = 1");

        // Webhooks whose names were looked up have failed attempts; the others were not attempted, however often they asked for a slot.
        var asked = string.Join(", ", names.Dead.Select(host => $"'http://{host}:{receiver.Port}/'"));
        await scene.Database.UntilAsync(
            $"""
            SELECT count(*) = {HostLookups.MaxPerOwner} FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
            WHERE w.url IN ({asked}) AND d.attempt > 0 AND d.attempts -> 0 ->> 'error' = 'Its host''s name servers do not answer.'
            """);
        await scene.Database.UntilAsync(
            $"SELECT count(*) >= 10 FROM durable_cursors c JOIN webhooks w ON c.owner = 'webhook:' || w.id WHERE c.claimed_at IS NOT NULL AND w.url NOT IN ({asked}) AND w.user_id = 'mallory'");
        Assert.Equal(0L, await scene.Database.ScalarAsync<long>(
            $"""
            SELECT (SELECT count(*) FROM webhooks WHERE url NOT IN ({asked}) AND failing_since IS NOT NULL)
                + (SELECT count(*) FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id WHERE w.user_id = 'mallory' AND w.url NOT IN ({asked}) AND d.attempt > 0)
            """,
            Token));
        Assert.Equal(HostLookups.MaxPerOwner, names.Dead.Count);
    }

    [Fact]
    public async Task A_users_slow_webhooks_use_only_that_users_slots_and_all_deliveries_finally_succeed_at_the_first_attempt()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        var slow = new SlowAnswers(receiver, "slow");
        for (var i = 0; i < 10; i++)
        {
            await scene.RegisterAsync(receiver.Url($"slow-{i}"), "mallory");
        }

        await scene.RegisterAsync(receiver.Url("quick"), "alice");

        // Submitted before the worker starts: a delivery run plans only what exists when it begins, and each should have two to deliver.
        for (var i = 0; i < 5; i++)
        {
            await scene.SubmitAsync("mallory");
        }

        await using var worker = await scene.StartWorkerAsync(
            ("Webhooks:Delivery:InFlight", "2"), ("Webhooks:Delivery:UserInFlight", "4"), ("Webhooks:Delivery:Timeout", "00:01:00"));
        await Eventually.TrueAsync(() => slow.Current == 4);
        await scene.Database.UntilAsync("SELECT count(*) > 2 FROM durable_cursors WHERE troubled AND not_before IS NOT NULL AND user_id = 'mallory'");
        await scene.SubmitAsync("alice");
        await Eventually.TrueAsync(() => receiver.Taken.Any(r => r.Path == "quick"));
        slow.End();

        await AssertDeliveredAsync(scene, slow, deliveries: 51);
        Assert.True(slow.Max == 4 || slow.HasTimedOut, $"{slow.Max} at once.");
    }

    [Fact]
    public async Task An_address_gets_a_limited_number_of_deliveries_at_once_across_all_users_and_host_names()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        await using var elsewhere = new RawReceiver(IPAddress.Parse("127.0.0.2"));
        var slow = new SlowAnswers(receiver, "victim");
        for (var i = 0; i < 6; i++)
        {
            await scene.RegisterAsync($"http://{i}.example:{receiver.Port}/victim", $"user-{i}");
        }

        await scene.RegisterAsync($"http://127.0.0.2:{elsewhere.Port}/", "alice");
        await using var worker = await scene.StartWorkerAsync(
            new HalfDeadResolver(), ("Webhooks:Delivery:AddressInFlight", "3"), ("Webhooks:Delivery:Timeout", "00:01:00"));
        for (var i = 0; i < 6; i++)
        {
            await scene.SubmitAsync($"user-{i}");
        }

        await Eventually.TrueAsync(() => slow.Current == 3);
        await scene.Database.UntilAsync("SELECT count(*) = 3 FROM durable_cursors WHERE troubled AND not_before IS NOT NULL");
        await scene.SubmitAsync("alice");
        await scene.Database.UntilAsync("SELECT count(*) = 1 FROM webhook_deliveries WHERE state = 'delivered'");
        slow.End();

        await AssertDeliveredAsync(scene, slow, deliveries: 7);
        Assert.True(slow.Max == 3 || slow.HasTimedOut, $"{slow.Max} at once.");
    }

    [Fact]
    public async Task Slow_receivers_leave_half_of_the_slots_of_their_address_to_healthy_ones()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        var slow = new SlowAnswers(receiver, "slow");
        for (var i = 0; i < 4; i++)
        {
            await scene.RegisterAsync(receiver.Url($"slow-{i}"), $"user-{i}");
            await scene.SubmitAsync($"user-{i}");
        }

        await scene.Database.ExecuteAsync("UPDATE durable_cursors SET troubled = true", Token);
        await scene.RegisterAsync(receiver.Url("well"), "alice");
        await using var worker = await scene.StartWorkerAsync(("Webhooks:Delivery:AddressInFlight", "4"), ("Webhooks:Delivery:Timeout", "00:01:00"));

        await Eventually.TrueAsync(() => slow.Current == 2);
        await scene.Database.UntilAsync("SELECT count(*) = 2 FROM durable_cursors WHERE not_before IS NOT NULL");
        await scene.SubmitAsync("alice");
        await Eventually.TrueAsync(() => receiver.Taken.Any(r => r.Path == "well"));
        var max = slow.Max;
        slow.End();

        await AssertDeliveredAsync(scene, slow, deliveries: 5);
        Assert.True(max == 2 || slow.HasTimedOut, $"{max} at once.");
    }

    [Fact]
    public async Task Enabling_a_webhook_that_is_already_enabled_does_not_restart_it()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        var (id, _) = await scene.RegisterAsync(receiver.Url());
        receiver.Answer = (_, _) => Task.FromResult(500);
        await using var worker = await scene.StartWorkerAsync(
            [.. Enumerable.Range(0, 9).Select(i => ($"Webhooks:Delivery:RetryDelays:{i}", "01:00:00"))]);
        await scene.SubmitAsync();
        await scene.Database.UntilAsync("SELECT lease_expires_at IS NULL AND due_at > now() FROM durable_cursors");

        await scene.EnableAsync(id);
        await scene.EnableAsync(id);

        Assert.True(await scene.Database.ScalarAsync<bool>("SELECT due_at > now() AND nudges = 0 FROM durable_cursors", Token));
        Assert.True(await scene.Database.ScalarAsync<bool>("SELECT attempt = 1 AND next_attempt_at > now() FROM webhook_deliveries", Token));
        Assert.Single(receiver.All);
    }

    /// <summary>Asserts that all are delivered, at the first attempt unless one timed out.</summary>
    private static async Task AssertDeliveredAsync(WebhookScene scene, SlowAnswers slow, int deliveries)
    {
        await scene.Database.UntilAsync($"SELECT count(*) = {deliveries} FROM webhook_deliveries WHERE state = 'delivered'");
        if (!slow.HasTimedOut)
        {
            Assert.Equal((long)deliveries, await scene.Database.ScalarAsync<long>("SELECT count(*) FROM webhook_deliveries WHERE attempt = 1", Token));
        }
    }

    // Names of one zone get no answer; every other name resolves to this machine.
    private sealed class HalfDeadResolver : IHostResolver
    {
        public ConcurrentQueue<string> Dead { get; } = [];

        public async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
        {
            if (host.EndsWith(".dead.example", StringComparison.Ordinal))
            {
                Dead.Enqueue(host);
                await Task.Delay(Timeout.Infinite, Token);
            }

            return [IPAddress.Loopback];
        }
    }

    // Requests to paths with this prefix are counted, and answered only after End.
    private sealed class SlowAnswers
    {
        private readonly Lock _lock = new();
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public SlowAnswers(WebhookReceiver receiver, string path) => receiver.Answer = async (received, context) =>
        {
            if (received.Path.StartsWith(path, StringComparison.Ordinal))
            {
                lock (_lock)
                {
                    Max = Math.Max(Max, ++Current);
                }

                try
                {
                    await _end.Task.WaitAsync(context.RequestAborted);
                }
                catch (OperationCanceledException)
                {
                    HasTimedOut = true;
                }

                lock (_lock)
                {
                    Current--;
                }
            }

            return 200;
        };

        public int Current { get; private set; }

        public int Max { get; private set; }

        /// <summary>Whether the machine was so busy that a delivery ran into its own time limit, 1 min here.</summary>
        public bool HasTimedOut { get; private set; }

        public void End() => _end.SetResult();
    }
}
