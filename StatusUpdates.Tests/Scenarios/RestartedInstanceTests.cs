using System.Net.WebSockets;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Scenarios;

[Long]
[Collection(WholeMachine.Name)]
public sealed class RestartedInstanceTests(TestServers servers)
{
    [Fact]
    public async Task Clients_miss_nothing_when_their_instances_are_killed_and_drained()
    {
        const int Users = 100;
        var count = ScenarioSize.Of(small: 1_000, full: 2_000);
        const int Rounds = 80;
        const int Last = 2 + Rounds;
        await using var writer = await TestApi.StartAsync(servers);
        await using var first = await ApiProcess.StartAsync(writer);
        await using var second = await ApiProcess.StartAsync(writer);
        var jobs = new List<Job>();
        for (var user = 0; user < Users; user++)
        {
            jobs.AddRange(await Job.StartAsync(writer, $"user-{user}", 1));
        }

        var followed = new Progress(count);
        var clients = Enumerable.Range(0, count)
            .Select(client => FollowAsync([first, second], client, $"user-{client % Users}", Last, followed))
            .ToArray();
        await Task.WhenAny(followed.All, Task.WhenAll(clients));

        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        var stopping = Task.CompletedTask;
        for (var round = 0; round < Rounds; round++)
        {
            switch (round)
            {
                case 10:
                    await first.KillAsync();
                    break;
                case 20:
                    await first.StartAsync();
                    break;
                case 30:
                    stopping = second.StopAsync();
                    break;
                case 45:
                    await stopping;
                    await second.StartAsync();
                    break;
                case 55:
                    await Task.WhenAll(first.KillAsync(), second.KillAsync());
                    break;
                case 65:
                    await Task.WhenAll(first.StartAsync(), second.StartAsync());
                    break;
                default:
                    break;
            }

            await tick.WaitForNextTickAsync(TestTime.Token);
            await writer.UpdateAsync([.. jobs.Select(job => job.Change(progress: round))]);
        }

        // Each client has checked every position of its log. All of them lost their instance at least once and reconnected.
        var reconnects = await Task.WhenAll(clients);
        Assert.All(reconnects, count => Assert.InRange(count, 1, int.MaxValue));
        await writer.Database.AssertConsistentAsync(TestTime.Token);
    }

    private static async Task<int> FollowAsync(ApiProcess[] apis, int index, string userId, long last, Progress followed)
    {
        var position = 0L;
        for (var reconnects = 0; ; reconnects++)
        {
            try
            {
                using var follower = await Follower.ConnectAsync(apis[(index + reconnects) % 2].Address, userId, position);
                try
                {
                    await follower.ReadUntilAsync(Math.Max(position, 2));
                    followed.Report(index);
                    await follower.ReadUntilAsync(last);
                    return reconnects;
                }
                finally
                {
                    position = follower.Last;
                }
            }
            catch (WebSocketException)
            {
                // A client's back-off: thousands must not reconnect at once.
                await Task.Delay(Random.Shared.Next(20, 200), TestTime.Token);
            }
        }
    }

    private sealed class Progress(int count)
    {
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly bool[] _seen = new bool[count];
        private int _left = count;

        public Task All => _all.Task;

        public void Report(int index)
        {
            if (!_seen[index])
            {
                _seen[index] = true;
                if (Interlocked.Decrement(ref _left) == 0)
                {
                    _all.SetResult();
                }
            }
        }
    }
}
