using System.Globalization;
using StatusUpdates.Tests.Bot;

namespace StatusUpdates.Tests.Scenarios.BadDay;

/// <summary>
/// Everything that can go wrong, in an order given by a seed, while users use the system. Afterwards, what every client, webhook and chat
/// received is compared with what was committed. Seeds that failed are kept below. <c>STATUSUPDATES_BAD_DAY</c>: the duration in seconds;
/// <c>STATUSUPDATES_BAD_DAY_SEED</c>: only this seed, or a new one if it is 0.
/// </summary>
[Long]
[Collection(WholeMachine.Name)]
public sealed class BadDayTests(ITestOutputHelper output)
{
    // For all remaining work to be done.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(ScenarioSize.Read("STATUSUPDATES_BAD_DAY") ?? 60);

    /// <summary>The seed in the environment (0: a new one), or the kept ones: one that includes a failover, and those that once failed.</summary>
    public static TheoryData<int> Seeds() => ScenarioSize.Read("STATUSUPDATES_BAD_DAY_SEED") switch
    {
        null => [.. Kept],
        0 => [Random.Shared.Next(1, int.MaxValue)],
        { } seed => [seed],
    };

    private static IEnumerable<int> Kept => [12];

    [Theory(DisableDiscoveryEnumeration = true)]
    [MemberData(nameof(Seeds))]
    public async Task Whatever_happens_everyone_receives_what_was_committed_and_no_one_receives_anything_else(int seed)
    {
        WriteLine($"seed {seed}: STATUSUPDATES_BAD_DAY_SEED={seed} STATUSUPDATES_BAD_DAY={Duration.TotalSeconds}");
        await using var world = await BadDayWorld.StartAsync();
        var history = new History();
        var random = new Random(seed);
        var observers = (
            from user in Enumerable.Range(0, BadDayWorld.Users)
            from transport in (string[])[Observer.Socket, Observer.Events, Observer.Poll]
            select new Observer($"{transport} of user {user}", BadDayWorld.UserOf(user), transport, world.Addresses, random.Next(1000))).ToArray();
        var submitters = Enumerable.Range(0, BadDayWorld.Users)
            .Select(user => new Submitter(BadDayWorld.UserOf(user), world.Addresses, random.Next(1000))).ToArray();
        using var stopReading = CancellationTokenSource.CreateLinkedTokenSource(TestTime.Token);
        using var stopWriting = CancellationTokenSource.CreateLinkedTokenSource(TestTime.Token);
        var reading = Task.WhenAll(observers.Select(observer => observer.RunAsync(stopReading.Token)));
        var writing = Task.WhenAll(submitters.Select(submitter => submitter.RunAsync(TimeSpan.FromMilliseconds(400), stopWriting.Token)));

        var schedule = new FaultSchedule(world, history, random.Next(), WriteLine);
        await schedule.RunAsync(Duration);
        await stopWriting.CancelAsync();
        await writing;

        // After the faults: everything works for what is submitted now.
        using (var http = new HttpClient())
        {
            await Task.WhenAll(submitters.Select(submitter => submitter.SubmitAsync(http)));
        }

        await UntilAsync(world, "every generation has ended", async () =>
            await world.CountAsync("SELECT count(*) FROM generations WHERE status IN ('pending', 'processing')") == 0);
        var log = await History.ReadAsync(world.Direct);
        var heads = log.GroupBy(update => update.UserId).ToDictionary(ofUser => ofUser.Key, ofUser => ofUser.Last().Cursor);
        await UntilAsync(world, "every client is at the log's end", () => Task.FromResult(Array.TrueForAll(
            observers, observer => observer.Read().Cursor == heads[observer.UserId])));
        await UntilAsync(world, "every webhook and chat is at the log's end", async () =>
        {
            Assert.Equal(0L, await world.CountAsync("SELECT count(*) FROM webhooks WHERE disabled_at IS NOT NULL"));
            return await world.CountAsync(
                """
                SELECT count(*) FROM durable_cursors c JOIN user_streams s ON s.user_id = c.user_id
                WHERE c.last_seq <> s.last_seq OR c.lease_expires_at IS NOT NULL
                    OR EXISTS (SELECT FROM webhook_deliveries d WHERE d.state = 'pending')
                """) == 0;
        });
        await stopReading.CancelAsync();
        await reading;

        await using (var database = TestDatabase.At(world.Direct))
        {
            await database.AssertConsistentAsync(TestTime.Token);
        }

        AssertNothingAcknowledgedIsMissing(submitters, log, history);
        foreach (var observer in observers)
        {
            AssertReceived(observer, log, history);
        }

        AssertDelivered(world, log, history);
        AssertChatsNotified(world, log);
        WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{submitters.Sum(submitter => submitter.Accepted.Count)} submissions acknowledged, {log.Count} updates, {history.LostCount} lost by {schedule.Done.GetValueOrDefault("failover")} failovers, "
            + $"{observers.Sum(observer => observer.Connections)} connections, {observers.Sum(observer => observer.Read().Resyncs.Count)} resyncs, {world.Receiver.Taken.Count} deliveries, {world.Telegram.Calls.Count} requests to Telegram"));
        WriteLine("answers: " + string.Join(", ", submitters.SelectMany(submitter => submitter.Answers).GroupBy(answer => answer.Key)
            .OrderBy(answers => answers.Key).Select(answers => $"{answers.Key}: {answers.Sum(answer => answer.Value)}")));
        WriteLine("faults: " + string.Join(", ", schedule.Done.OrderBy(done => done.Key, StringComparer.Ordinal).Select(done => $"{done.Value} × {done.Key}")));

        // An unavailable service reports that it is; it does not fail with 500.
        Assert.DoesNotContain(500, submitters.SelectMany(submitter => submitter.Answers.Keys));
    }

    private static void AssertNothingAcknowledgedIsMissing(Submitter[] submitters, IReadOnlyList<Committed> log, History history)
    {
        var left = log.Select(update => update.GenerationId).ToHashSet(StringComparer.Ordinal);
        var lost = history.LostGenerations(log);
        Assert.All(submitters.SelectMany(submitter => submitter.Accepted), id => Assert.True(left.Contains(id) || lost.Contains(id), $"{id} was acknowledged and is missing"));
    }

    private static void AssertReceived(Observer observer, IReadOnlyList<Committed> all, History history)
    {
        var (_, seen, resyncs, faults) = observer.Read();
        var log = all.Where(update => update.UserId == observer.UserId).ToDictionary(update => update.Cursor, StringComparer.Ordinal);
        Assert.True(faults.Count == 0, $"{observer.Name}: {string.Join("; ", faults)}");
        foreach (var update in seen)
        {
            var committed = log.GetValueOrDefault(update.Cursor) ?? history.FindLost(observer.UserId, update.Cursor);
            Assert.True(
                committed is not null && (committed.GenerationId, committed.Status) == (update.GenerationId, update.Status),
                $"{observer.Name} received {update}, which was never committed");
        }

        // Since the last resync, it has everything in the log, and nothing from an older one.
        var last = seen.Where(update => update.Stretch == resyncs.Count).ToList();
        Assert.All(last, update => Assert.True(log.ContainsKey(update.Cursor), $"{observer.Name} received {update}, which is no longer in the log, and no resync"));
        var from = resyncs.Count == 0 ? 0 : Observer.SeqOf(resyncs[^1].After);
        Assert.Equal(log.Values.Where(update => update.Seq > from).Select(update => update.Seq), last.Select(update => update.Seq));

        // And no resync without a reason: what it had is no longer in the log.
        Assert.All(resyncs, resync => Assert.True(
            resync.Before != "0" && !log.ContainsKey(resync.Before), $"{observer.Name} was at {resync.Before}, which is in the log, and got a resync to {resync.After}"));
    }

    private static void AssertDelivered(BadDayWorld world, IReadOnlyList<Committed> all, History history)
    {
        foreach (var webhook in world.Receiver.Taken.GroupBy(received => received.Path, StringComparer.Ordinal))
        {
            var log = all.Where(update => update.UserId == webhook.Key).ToList();
            var byId = log.ToDictionary(update => $"msg_{update.UpdateId:N}", StringComparer.Ordinal);
            var resynced = webhook.Where(received => received.Type == "status.resync").Select(received => received.Seq).DefaultIfEmpty(0).Max();
            var first = webhook.Where(received => received.Type != "status.resync").DistinctBy(received => received.Id).ToList();
            Assert.All(first, received => Assert.True(
                byId.ContainsKey(received.Id) || history.WasLost(Guid.ParseExact(received.Id["msg_".Length..], "N")), $"{webhook.Key}: {received.Body} was never committed"));
            var delivered = first.Select(received => received.Id).ToHashSet(StringComparer.Ordinal);
            Assert.All(
                byId.Where(update => update.Value.Seq > resynced),
                update => Assert.True(delivered.Contains(update.Key), $"{webhook.Key} did not receive {update.Value}"));
            foreach (var generation in first.Where(received => byId.ContainsKey(received.Id)).GroupBy(received => received.GenerationId, StringComparer.Ordinal))
            {
                // By where they are now: what was sent before a failover, lost by it and written again has another seq.
                var sent = generation.ToList();
                Assert.True(
                    sent.Zip(sent.Skip(1)).All(pair => byId[pair.First.Id].Seq < byId[pair.Second.Id].Seq),
                    $"{webhook.Key} received the updates of {generation.Key} out of order: {string.Join(", ", sent.Select(received => $"{byId[received.Id].Seq} (sent as {received.Seq})"))}; last resync {resynced}");
            }
        }

        Assert.Equal(BadDayWorld.Users, world.Receiver.Taken.Select(received => received.Path).Distinct(StringComparer.Ordinal).Count());
    }

    private static void AssertChatsNotified(BadDayWorld world, IReadOnlyList<Committed> all)
    {
        var calls = world.Telegram.Calls;
        for (var user = 0; user < BadDayWorld.Users; user++)
        {
            var taken = calls.Where(call => call.ChatId == BadDayWorld.ChatOf(user) && call.IsAccepted).ToList();
            var texts = taken.Select(call => call.Text ?? "").ToList();

            // Updates before a resync may be among those that it stands for.
            var resync = texts.FindLastIndex(text => text == StatusUpdates.Bot.Notifications.NotificationText.Resync);
            var log = all.Where(update => update.UserId == BadDayWorld.UserOf(user) && !update.IsProgress).ToList();
            var missing = log.Where(update => !texts.Exists(text => IsOf(text, update))).ToList();
            if (resync < 0)
            {
                Assert.Empty(missing);
            }
            else
            {
                Assert.DoesNotContain(log[^1], missing);
            }
        }
    }

    private static bool IsOf(string text, Committed update) =>
        text.Contains($" is {update.Status}!", StringComparison.Ordinal)
        && text.Contains(StatusUpdates.Bot.Notifications.NotificationText.TagOf(update.GenerationId), StringComparison.Ordinal);

    private static async Task UntilAsync(BadDayWorld world, string what, Func<Task<bool>> condition)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(started) > Patience)
            {
                Assert.Fail($"After {Patience}, this is still not the case: {what}.\n{await world.DescribeAsync()}");
            }

            await Task.Delay(100, TestTime.Token);
        }
    }

    private void WriteLine(string line) => output.WriteLine(line);
}
