using System.Collections.Concurrent;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Conformance;
using StatusUpdates.Tests.Worker;

namespace StatusUpdates.Tests.RemoteWorkers;

/// <summary>Our own worker and one that connects to the API, on one queue.</summary>
public sealed class SharedQueueTests(TestServers servers)
{
    private const int Slots = 4;
    private const int Generations = 80;

    private static readonly TimeSpan Work = TimeSpan.FromMilliseconds(60);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Two_kinds_of_workers_share_a_queue_and_every_generation_is_done_once()
    {
        await using var api = await TestApi.StartAsync(servers);
        for (var i = 0; i < Generations; i++)
        {
            await api.SubmitAsync($"user-{i % 5}");
        }

        var provider = new ScriptedProvider(async (_, _, token) =>
        {
            await Task.Delay(Work, token);
            return ScriptedProvider.Result with { Outputs = [new StatusUpdates.Worker.Providers.ProviderContent("video/mp4", [1])] };
        });
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var done = new ConcurrentDictionary<string, int>();
        var remote = Task.WhenAll(Enumerable.Range(0, Slots).Select(_ => DoAsync(api.ConnectWorker(), done, over.Token)));
        await using (await TestWorker.StartAsync(
            api.Database, api.Redis, provider, ("Worker:Concurrency", $"{Slots}"), ("Worker:PollInterval", "00:00:01")))
        {
            await api.Database.UntilAsync($"SELECT count(*) = {Generations} FROM generations WHERE status = 'completed'");
        }

        await over.CancelAsync();
        await remote;

        // Both have four slots and take as long: each does a good part.
        Assert.InRange(done.Count, Generations / 5, Generations * 4 / 5);
        Assert.Equal(Generations - done.Count, provider.Runs.Count);
        Assert.All(done, one => Assert.Equal(1, one.Value));
        Assert.Equal((long)Generations, await api.Database.ScalarAsync<long>("SELECT count(*) FROM generations WHERE attempt = 1 AND failures = 0", Token));
        await api.Database.AssertConsistentAsync(Token);
    }

    private static async Task DoAsync(ConformanceWorker worker, ConcurrentDictionary<string, int> done, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            foreach (var lease in await worker.ClaimAsync(free: 1, wait: 1))
            {
                await Task.Delay(Work, Token);
                await worker.CompleteAsync(lease);
                done.AddOrUpdate((string)lease["id"]!, 1, (_, count) => count + 1);
            }
        }
    }
}
