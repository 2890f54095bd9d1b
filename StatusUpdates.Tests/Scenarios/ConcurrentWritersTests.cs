using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

[Long]
public sealed class ConcurrentWritersTests(TestServers servers)
{
    [Fact]
    public async Task Readers_get_every_update_once_and_in_order_while_64_writers_of_one_user_commit_slowly()
    {
        const int Writers = 64;
        const int Each = 12;
        const int All = Writers * Each;
        await using var first = await TestApi.StartAsync(servers);
        await using var second = await first.StartAnotherAsync();

        // Delays the commit after the number has been taken.
        await first.Database.ExecuteAsync(
            """
            CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_sleep(random() * 0.008); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON status_events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger()
            """,
            TestTime.Token);

        var readers = new[] { first, second }.Select(api => ReadAsync(api, 0)).ToList();
        var writers = Enumerable.Range(0, Writers).Select(async _ =>
        {
            for (var i = 0; i < Each; i++)
            {
                await first.PublishAsync("alice");
            }
        }).ToArray();

        // More readers connect while the writers run, each from a different position.
        while (!Task.WhenAll(writers).IsCompleted)
        {
            var head = (await first.Database.Log.ReadBoundsAsync("alice", TestTime.Token)).Last;
            readers.Add(ReadAsync(readers.Count % 2 == 0 ? first : second, head / 2));
            await Task.WhenAny(Task.WhenAll(writers), AtAsync(first, Math.Min(All, head + (All / 10))));
        }

        await Task.WhenAll(writers);
        await Task.WhenAll(readers);
        await first.Database.AssertConsistentAsync(TestTime.Token);

        static async Task ReadAsync(TestApi api, long since)
        {
            using var reader = await Follower.ConnectAsync(api.Address, "alice", since);
            await reader.ReadUntilAsync(All);
            Assert.Equal((All, 0), (reader.Last, reader.Repeats));
        }
    }

    // Returns when the log has reached a position.
    private static async Task AtAsync(TestApi api, long seq)
    {
        using var watcher = await Follower.ConnectAsync(api.Address, "alice", 0);
        await watcher.ReadUntilAsync(seq);
    }
}
