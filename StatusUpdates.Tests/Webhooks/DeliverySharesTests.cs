using System.Collections.Concurrent;
using System.Net;
using StatusUpdates.Data.Webhooks;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Webhooks;

/// <summary>What deliveries share, and that nobody takes the others' part of it.</summary>
public sealed class DeliverySharesTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_zone_that_does_not_answer_stops_nobody_elses_deliveries_and_what_waits_for_a_look_up_is_no_attempt()
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
        await Eventually.TrueAsync(() => names.Dead.Count == HostLookUps.MaxPerOwner);

        var generation = await scene.SubmitAsync("alice");
        await scene.AppendAsync(generation, count: 20, userId: "alice");

        await Eventually.TrueAsync(() => receiver.Taken.Count == 21);
        await scene.Database.UntilAsync("SELECT count(*) = 21 FROM webhook_deliveries WHERE state = 'delivered' AND attempt = 1");

        // Whose names were asked for are told; the others were not attempted, however often they came for a place.
        var asked = string.Join(", ", names.Dead.Select(host => $"'http://{host}:{receiver.Port}/'"));
        await scene.Database.UntilAsync(
            $"""
            SELECT count(*) = {HostLookUps.MaxPerOwner} FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
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
        Assert.Equal(HostLookUps.MaxPerOwner, names.Dead.Count);
    }

    [Fact]
    public async Task A_users_slow_webhooks_take_that_users_places_alone_and_all_are_told_in_the_end_at_the_first_attempt()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        var slow = new SlowAnswers(receiver, "slow");
        for (var i = 0; i < 10; i++)
        {
            await scene.RegisterAsync(receiver.Url($"slow-{i}"), "mallory");
        }

        await scene.RegisterAsync(receiver.Url("quick"), "alice");
        await using var worker = await scene.StartWorkerAsync(
            ("Webhooks:Delivery:InFlight", "2"), ("Webhooks:Delivery:UserInFlight", "4"), ("Webhooks:Delivery:Timeout", "00:01:00"));
        for (var i = 0; i < 5; i++)
        {
            await scene.SubmitAsync("mallory");
        }

        await Eventually.TrueAsync(() => slow.Now == 4);
        await scene.Database.UntilAsync("SELECT count(*) > 2 FROM durable_cursors WHERE troubled AND not_before IS NOT NULL AND user_id = 'mallory'");
        await scene.SubmitAsync("alice");
        await Eventually.TrueAsync(() => receiver.Taken.Any(r => r.Path == "quick"));
        Assert.Equal(4, slow.Most);
        slow.End();

        await scene.Database.UntilAsync("SELECT count(*) = 51 FROM webhook_deliveries WHERE state = 'delivered' AND attempt = 1");
        Assert.Equal(4, slow.Most);
    }

    [Fact]
    public async Task An_address_gets_so_many_deliveries_at_once_whoever_sends_them_there_by_whatever_name()
    {
        await using var scene = await WebhookScene.CreateAsync(servers);
        await using var receiver = await WebhookReceiver.StartAsync();
        using var elsewhere = new RawReceiver(IPAddress.Parse("127.0.0.2"));
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

        await Eventually.TrueAsync(() => slow.Now == 3);
        await scene.Database.UntilAsync("SELECT count(*) = 3 FROM durable_cursors WHERE troubled AND not_before IS NOT NULL");
        await scene.SubmitAsync("alice");
        await scene.Database.UntilAsync("SELECT count(*) = 1 FROM webhook_deliveries WHERE state = 'delivered'");
        slow.End();

        await scene.Database.UntilAsync("SELECT count(*) = 7 FROM webhook_deliveries WHERE state = 'delivered' AND attempt = 1");
        Assert.Equal(3, slow.Most);
    }

    [Fact]
    public async Task Slow_receivers_leave_half_of_their_address_to_those_that_are_well()
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

        await Eventually.TrueAsync(() => slow.Now == 2);
        await scene.Database.UntilAsync("SELECT count(*) = 2 FROM durable_cursors WHERE not_before IS NOT NULL");
        await scene.SubmitAsync("alice");
        await Eventually.TrueAsync(() => receiver.Taken.Any(r => r.Path == "well"));
        Assert.Equal(2, slow.Most);
        slow.End();

        await scene.Database.UntilAsync("SELECT count(*) = 5 FROM webhook_deliveries WHERE state = 'delivered' AND attempt = 1");
    }

    [Fact]
    public async Task A_webhook_that_is_enabled_is_not_begun_anew_by_enabling_it()
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

    // Of one zone nothing is heard; every other name is this machine.
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

    // Paths that begin so are answered when this ends, and counted.
    private sealed class SlowAnswers
    {
        private readonly Lock _lock = new();
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public SlowAnswers(WebhookReceiver receiver, string path) => receiver.Answer = async (received, _) =>
        {
            if (received.Path.StartsWith(path, StringComparison.Ordinal))
            {
                lock (_lock)
                {
                    Most = Math.Max(Most, ++Now);
                }

                await _end.Task;
                lock (_lock)
                {
                    Now--;
                }
            }

            return 200;
        };

        public int Now { get; private set; }

        public int Most { get; private set; }

        public void End() => _end.SetResult();
    }
}
