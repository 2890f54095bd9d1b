using System.Data.Common;
using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Tests.Feeds;

public sealed class FeedHubTests
{
    [Fact]
    public async Task Connections_opened_at_the_same_time_share_one_feed()
    {
        await using var feeds = new Feeds();
        feeds.Log.HoldBounds = new();
        var opening = Enumerable.Range(0, 10).Select(_ => feeds.OpenAsync("u")).ToArray();
        feeds.Log.HoldBounds.SetResult();
        var cursors = await Task.WhenAll(opening);

        Assert.Equal(1, feeds.Channel.Made);
        Assert.Equal(1, feeds.Hub.Count);
        Array.ForEach(cursors, cursor => cursor.Dispose());
    }

    [Fact]
    public async Task Updates_committed_while_a_feed_opens_are_neither_lost_nor_repeated()
    {
        await using var feeds = new Feeds();
        feeds.Log.Append("u");
        feeds.Log.HoldBounds = new();
        var opening = feeds.OpenAsync("u", since: 0);
        for (var i = 0; i < 200; i++)
        {
            feeds.Publish("u");
        }

        feeds.Log.HoldBounds.SetResult();
        using var cursor = await opening;
        feeds.Publish("u");
        await feeds.SettleAsync();

        Assert.Equal(Enumerable.Range(1, 202).Select(i => (long)i), await cursor.DrainAsync());
    }

    [Fact]
    public async Task A_failed_opening_fails_for_all_its_waiters_and_the_next_connection_tries_again()
    {
        await using var feeds = new Feeds();
        feeds.Log.HoldBounds = new();
        feeds.Log.IsAway = true;
        var opening = Enumerable.Range(0, 3).Select(_ => feeds.OpenAsync("u")).ToArray();
        feeds.Log.HoldBounds.SetResult();
        foreach (var one in opening)
        {
            await Assert.ThrowsAnyAsync<DbException>(() => one);
        }

        feeds.Log.IsAway = false;
        feeds.Log.HoldBounds = null;
        using var cursor = await feeds.OpenAsync("u");
        feeds.Publish("u");

        Assert.Equal([1], await cursor.DrainAsync());
        Assert.Equal(1, feeds.Channel.Live);
    }

    [Fact]
    public async Task An_opening_continues_when_the_connection_that_started_it_is_gone()
    {
        await using var feeds = new Feeds();
        feeds.Log.HoldBounds = new();
        using var gone = new CancellationTokenSource();
        var first = feeds.Hub.OpenAsync(new FeedRequest("u", null, null, 8192), gone.Token);
        var second = feeds.OpenAsync("u");
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        feeds.Log.HoldBounds.SetResult();

        using var cursor = await second;
        Assert.Equal(1, feeds.Channel.Made);
    }

    [Fact]
    public async Task A_channel_that_does_not_acknowledge_delays_an_opening_for_a_bounded_time_only()
    {
        await using var feeds = new Feeds();
        feeds.Channel.HoldAcknowledgement = new();
        var opening = feeds.OpenAsync("u");
        Assert.False(opening.IsCompleted);
        feeds.Time.Advance(feeds.Context.Options.SubscribeWait);
        using var cursor = await opening;
        feeds.Log.Append("u");
        await feeds.SweepAsync();

        Assert.Equal([1], await cursor.DrainAsync());
        feeds.Channel.HoldAcknowledgement.SetResult();
    }

    [Fact]
    public async Task However_often_a_user_asks_for_the_head_slots_remain_for_other_users()
    {
        await using var feeds = new Feeds();
        var slots = feeds.Context.Replays.CurrentCount;
        feeds.Log.HoldBounds = new(TaskCreationOptions.RunContinuationsAsynchronously);

        var asked = Enumerable.Range(0, 2 * slots).Select(_ => feeds.Hub.ReadBoundsAsync("a", TestTime.Token)).ToList();

        Assert.Equal(slots - 1, feeds.Context.Replays.CurrentCount);
        feeds.Log.HoldBounds.SetResult();
        await Task.WhenAll(asked);
        Assert.Equal(slots, feeds.Context.Replays.CurrentCount);
    }

    [Fact]
    public async Task The_sweep_retries_a_channel_that_failed()
    {
        await using var feeds = new Feeds();
        feeds.Channel.Failure = new InvalidOperationException("no channel");
        using var cursor = await feeds.OpenAsync("u");
        feeds.Channel.Failure = null;
        await feeds.SweepAsync();
        feeds.Publish("u");

        Assert.Equal([1], await cursor.DrainAsync());
        Assert.Equal(0, feeds.Log.PageReads);
    }

    [Fact]
    public async Task A_feed_without_connections_lingers_and_is_then_closed()
    {
        await using var feeds = new Feeds();
        (await feeds.OpenAsync("u")).Dispose();
        feeds.Time.Advance(feeds.Context.Options.Linger - TimeSpan.FromSeconds(1));
        await feeds.SweepAsync();
        Assert.Equal(1, feeds.Channel.Live);

        // A connection that opens and closes in between restarts the linger time.
        (await feeds.OpenAsync("u")).Dispose();
        feeds.Time.Advance(feeds.Context.Options.Linger - TimeSpan.FromSeconds(1));
        await feeds.SweepAsync();
        Assert.Equal(1, feeds.Channel.Live);
        Assert.Equal(1, feeds.Channel.Made);

        feeds.Time.Advance(TimeSpan.FromSeconds(1));
        await feeds.SweepAsync();
        Assert.Equal(0, feeds.Channel.Live);
        Assert.Equal(0, feeds.Hub.Count);
    }

    [Fact]
    public async Task A_connection_that_opens_while_feeds_close_always_has_a_channel()
    {
        await using var feeds = new Feeds(o => o.Linger = TimeSpan.Zero);
        for (var round = 0; round < 300; round++)
        {
            var token = TestTime.Token;
            using var start = new Barrier(2);
            var sweeping = Task.Run(
                async () =>
                {
                    start.SignalAndWait(token);
                    await feeds.Hub.MaintainAsync();
                },
                token);
            var opening = Task.Run(
                async () =>
                {
                    start.SignalAndWait(token);
                    return await feeds.OpenAsync("u");
                },
                token);
            await sweeping;
            using var cursor = await opening;
            var update = feeds.Publish("u");

            Assert.Equal([update.Seq!.Value], await cursor.DrainAsync());
            Assert.Equal(1, feeds.Channel.Live);
        }
    }
}
