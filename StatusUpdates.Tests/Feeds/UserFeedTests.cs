using System.Text;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Feeds;

public sealed class UserFeedTests
{
    [Fact]
    public async Task A_cursor_without_since_starts_at_the_head_and_gets_what_follows()
    {
        await using var feeds = new Feeds();
        feeds.Log.Append("u");
        feeds.Log.Append("u");
        using var cursor = await feeds.OpenAsync("u");
        var reading = cursor.NextAsync();
        feeds.Publish("u");

        Assert.Equal(2, cursor.Start.Seq);
        Assert.Equal(new long[] { 3 }, await reading);
    }

    [Fact]
    public async Task A_cursor_with_since_is_replayed_and_then_goes_on_live()
    {
        await using var feeds = new Feeds(o => o.PageSize = 2);
        for (var i = 0; i < 5; i++)
        {
            feeds.Log.Append("u");
        }

        using var cursor = await feeds.OpenAsync("u", since: 1);
        feeds.Publish("u");

        Assert.Equal([2, 3, 4, 5, 6], await cursor.DrainAsync());
    }

    [Fact]
    public async Task Repeats_are_skipped_and_a_swapped_pair_is_put_in_order_without_reading_the_log()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        var first = feeds.Log.Append("u");
        var second = feeds.Log.Append("u");
        feeds.Channel.Bring(second);
        feeds.Channel.Bring(first);
        feeds.Channel.Bring(first);
        feeds.Channel.Bring(second);
        await feeds.SettleAsync();

        Assert.Equal([1, 2], await cursor.DrainAsync());
        Assert.Equal(0, feeds.Log.PageReads);
    }

    [Fact]
    public async Task A_gap_waits_for_its_predecessor_and_is_then_read_from_the_log_once()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Log.Append("u");
        feeds.Publish("u");
        feeds.Publish("u");
        Assert.Empty(await cursor.DrainAsync());
        Assert.Equal(0, feeds.Log.PageReads);
        await feeds.SettleAsync();

        Assert.Equal([1, 2, 3], await cursor.DrainAsync());
        Assert.Equal(1, feeds.Log.PageReads);
    }

    [Fact]
    public async Task The_sweep_finds_what_nobody_announced()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Log.Append("u");
        await feeds.SweepAsync();

        Assert.Equal([1], await cursor.DrainAsync());
    }

    [Fact]
    public async Task An_announced_update_that_nobody_committed_is_not_delivered_by_a_repair()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Channel.Bring(Feeds.Update("u", 2));
        await feeds.SettleAsync();
        feeds.Publish("u");
        await feeds.SweepAsync();

        Assert.Equal([1], await cursor.DrainAsync());
    }

    [Fact]
    public async Task A_log_that_went_back_is_told_to_every_cursor_that_was_further_and_to_no_other()
    {
        await using var feeds = new Feeds();
        using var live = await feeds.OpenAsync("u");
        using var behind = await feeds.OpenAsync("u");
        for (var i = 0; i < 5; i++)
        {
            feeds.Publish("u");
        }

        Assert.Equal([1, 2, 3, 4, 5], await live.DrainAsync());
        feeds.Log.Restore("u", 2);
        await feeds.SweepAsync();
        Assert.Equal([-3], await live.DrainAsync());
        Assert.Equal([1, 2, 3], await behind.DrainAsync());
        feeds.Publish("u");

        Assert.Equal([4], await live.DrainAsync());
        Assert.Equal([4], await behind.DrainAsync());
    }

    [Fact]
    public async Task A_connection_that_comes_between_a_restore_and_the_sweep_gets_nothing_of_the_log_that_was()
    {
        await using var feeds = new Feeds();
        using var live = await feeds.OpenAsync("u");
        for (var i = 0; i < 5; i++)
        {
            feeds.Publish("u");
        }

        Assert.Equal([1, 2, 3, 4, 5], await live.DrainAsync());
        feeds.Log.Restore("u", 2);
        var opening = feeds.OpenAsync("u", since: 5);
        await feeds.SettleAsync();
        using var late = await opening;

        Assert.Equal([-3], await late.DrainAsync());
        Assert.Equal([-3], await live.DrainAsync());
        feeds.Publish("u");
        Assert.Equal([4], await late.DrainAsync());
        Assert.Equal([4], await live.DrainAsync());
    }

    [Fact]
    public async Task A_cursor_behind_a_log_that_was_restored_and_has_grown_again_gets_that_and_no_part_of_what_was()
    {
        await using var feeds = new Feeds(o => o.RingFrames = 8);
        using var behind = await feeds.OpenAsync("u");
        for (var i = 0; i < 20; i++)
        {
            feeds.Publish("u");
        }

        feeds.Log.Restore("u", 15);
        for (var i = 0; i < 5; i++)
        {
            feeds.Log.Append("u");
        }

        Assert.Empty(await behind.DrainAsync());
        await feeds.SweepAsync();
        Assert.Equal(Enumerable.Range(1, 10).Select(seq => (long)seq), await behind.DrainAsync());
    }

    [Fact]
    public async Task A_gap_that_opens_while_the_log_is_read_for_another_is_closed_as_well()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Log.HoldPages = new(TaskCreationOptions.RunContinuationsAsynchronously);
        feeds.Log.Append("u");
        feeds.Publish("u");
        feeds.Time.Advance(feeds.Context.Options.ReorderWait);
        await Eventually.TrueAsync(() => feeds.Log.PageReads == 1);

        feeds.Log.Append("u");
        feeds.Publish("u");
        feeds.Log.HoldPages.SetResult();
        await feeds.SettleAsync();

        Assert.Equal([1, 2, 3, 4], await cursor.DrainAsync());
    }

    [Fact]
    public async Task A_read_that_hangs_is_given_up_and_the_sweep_lets_the_cursor_go_on()
    {
        await using var feeds = new Feeds();
        for (var i = 0; i < 3; i++)
        {
            feeds.Log.Append("u");
        }

        using var cursor = await feeds.OpenAsync("u", since: 0);
        feeds.Log.HoldPages = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var reading = cursor.NextAsync();
        Assert.Equal(1, feeds.Log.PageReads);
        feeds.Time.Advance(feeds.Context.Options.ReadTimeout);
        await Eventually.TrueAsync(() => feeds.Context.Replays.CurrentCount == feeds.Context.Options.MaxConcurrentReplays);
        Assert.False(reading.IsCompleted);

        feeds.Log.HoldPages = null;
        while (!reading.IsCompleted)
        {
            await feeds.SweepAsync();
        }

        Assert.Equal(3, (await reading).Length);
    }

    [Fact]
    public async Task A_log_that_went_back_and_on_is_noticed_by_an_update_that_differs_from_the_one_sent_under_its_number()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Publish("u");
        feeds.Publish("u");
        Assert.Equal([1, 2], await cursor.DrainAsync());
        feeds.Log.Restore("u", 1);
        feeds.Publish("u");
        await feeds.SettleAsync();

        Assert.Equal([-2], await cursor.DrainAsync());
    }

    [Theory]
    [InlineData(14, 21)]
    [InlineData(1, 1)]
    [InlineData(28, 28)]
    public async Task A_log_that_went_back_and_grew_to_or_past_what_was_sent_is_told_to_every_cursor(int lost, int grown)
    {
        await using var feeds = new Feeds(o => o.RingFrames = 8);
        using var live = await feeds.OpenAsync("u");
        for (var i = 0; i < 28; i++)
        {
            feeds.Publish("u");
        }

        Assert.Equal(28, (await live.DrainAsync()).Count);
        feeds.Log.Restore("u", lost);
        for (var i = 0; i < grown; i++)
        {
            feeds.Log.Append("u");
        }

        // One that was away meanwhile, one that knows no more than the number, and one that was there all the time and hears of nothing.
        var head = 28 - lost + grown;
        using var late = await feeds.OpenAsync("u", live.Position);
        using var bare = await feeds.OpenAsync("u", since: 28);
        Assert.Equal([-head], await late.DrainAsync());
        Assert.DoesNotContain(-head, await bare.DrainAsync());
        await feeds.SweepAsync();
        Assert.Equal([-head], await live.DrainAsync());
        feeds.Publish("u");
        Assert.Equal([head + 1], await live.DrainAsync());
    }

    [Fact]
    public async Task An_announced_update_that_follows_another_one_than_was_sent_is_no_part_of_this_log()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Publish("u");
        feeds.Publish("u");
        Assert.Equal([1, 2], await cursor.DrainAsync());
        feeds.Log.Restore("u", 1);
        feeds.Log.Append("u");

        // 3 comes right after 2, but after another 2.
        feeds.Publish("u");
        Assert.Empty(await cursor.DrainAsync());
        await feeds.SettleAsync();
        Assert.Equal([-3], await cursor.DrainAsync());
    }

    [Fact]
    public async Task An_announced_update_that_does_not_say_what_it_follows_is_read_from_the_log()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Channel.Bring(feeds.Log.Append("u") with { After = null });
        Assert.Empty(await cursor.DrainAsync());
        await feeds.SettleAsync();
        Assert.Equal([1], await cursor.DrainAsync());

        // Nor is what nobody committed ever sent, though it bears the right number.
        feeds.Channel.Bring(Feeds.Update("u", 2));
        await feeds.SettleAsync();
        Assert.Empty(await cursor.DrainAsync());
    }

    [Fact]
    public async Task A_since_beyond_the_log_on_either_side_is_a_resync_to_the_head()
    {
        await using var feeds = new Feeds();
        for (var i = 0; i < 6; i++)
        {
            feeds.Log.Append("u");
        }

        feeds.Log.Trim("u", 3);
        using var old = await feeds.OpenAsync("u", since: 2);
        using var oldest = await feeds.OpenAsync("u", since: 3);
        using var ahead = await feeds.OpenAsync("u", since: 7);
        feeds.Publish("u");

        Assert.Equal(2, old.Start.Seq);
        Assert.Equal([-6, 7], await old.DrainAsync());
        Assert.Equal([4, 5, 6, 7], await oldest.DrainAsync());
        Assert.Equal([-6, 7], await ahead.DrainAsync());
    }

    [Fact]
    public async Task A_cursor_that_retention_overtakes_while_it_is_connected_resyncs()
    {
        await using var feeds = new Feeds(o => o.RingFrames = 8);
        using var cursor = await feeds.OpenAsync("u");
        for (var i = 0; i < 20; i++)
        {
            feeds.Publish("u");
        }

        feeds.Log.Trim("u", 5);

        Assert.Equal([-20], await cursor.DrainAsync());
        feeds.Publish("u");
        Assert.Equal([21], await cursor.DrainAsync());
    }

    [Fact]
    public async Task A_signal_that_comes_while_nobody_reads_ends_the_next_read_and_no_other()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        cursor.Signal();
        cursor.Signal();
        using (var read = await cursor.ReadAsync(TestTime.Token))
        {
            Assert.Equal(FeedReadKind.Nothing, read.Kind);
        }

        var next = cursor.NextAsync();
        Assert.False(next.IsCompleted);
        feeds.Publish("u");
        Assert.Equal(1, Assert.Single(await next));
    }

    [Fact]
    public async Task An_update_without_seq_goes_live_to_all_and_moves_no_cursor()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Channel.Bring(Feeds.Update("u", null, "gen-9"));
        using (var read = await cursor.ReadAsync(TestTime.Token))
        {
            Assert.Equal(FeedReadKind.WithoutSeq, read.Kind);
            Assert.Equal("gen-9", read.Frames[0].GenerationId);
            Assert.DoesNotContain("seq", Encoding.UTF8.GetString(read.Frames[0].Payload.Span), StringComparison.Ordinal);
        }

        Assert.Equal(0, cursor.Position.Seq);
        using var late = await feeds.OpenAsync("u", since: 0);
        Assert.Empty(await late.DrainAsync());
    }

    [Fact]
    public async Task A_filtered_cursor_gets_its_generation_alone_and_its_position_moves_with_the_log()
    {
        await using var feeds = new Feeds(o => o.PageSize = 2);
        for (var i = 0; i < 6; i++)
        {
            feeds.Log.Append("u", i == 4 ? "gen-b" : "gen-a");
        }

        using var cursor = await feeds.OpenAsync("u", since: 0, generationId: "gen-b");
        Assert.Equal([5], await cursor.DrainAsync());
        Assert.Equal(6, cursor.Position.Seq);
        feeds.Publish("u", "gen-a");
        feeds.Publish("u", "gen-b");
        feeds.Publish("u", "gen-a");

        Assert.Equal([8], await cursor.DrainAsync());
        Assert.Equal(9, cursor.Position.Seq);
    }

    [Fact]
    public async Task A_database_that_is_away_is_waited_for_by_cursors_that_are_behind()
    {
        await using var feeds = new Feeds(o => o.RingFrames = 8);
        using var cursor = await feeds.OpenAsync("u");
        for (var i = 0; i < 20; i++)
        {
            feeds.Publish("u");
        }

        feeds.Log.IsAway = true;
        var reading = cursor.NextAsync();
        await Assert.ThrowsAnyAsync<System.Data.Common.DbException>(feeds.SweepAsync);
        Assert.False(reading.IsCompleted);
        feeds.Log.IsAway = false;
        await feeds.SweepAsync();

        Assert.Equal(1, (await reading)[0]);
    }

    [Fact]
    public async Task The_shared_ring_lets_a_stalled_cursor_go_on_from_the_log()
    {
        await using var feeds = new Feeds(o => (o.RingFrames, o.PageSize) = (8, 4));
        using var cursor = await feeds.OpenAsync("u");
        for (var i = 0; i < 100; i++)
        {
            feeds.Publish("u");
        }

        Assert.Equal(Enumerable.Range(1, 100).Select(i => (long)i), await cursor.DrainAsync());
    }

    [Fact]
    public async Task An_idle_feed_gives_its_frames_memory_back_and_loses_nothing()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Publish("u");
        feeds.Time.Advance(feeds.Context.Options.RingIdle);
        await feeds.SweepAsync();

        Assert.Equal([1], await cursor.DrainAsync());
        Assert.Equal(1, feeds.Log.PageReads);
    }

    [Fact]
    public void A_frame_is_a_whole_message_without_the_trace_whatever_its_length()
    {
        foreach (var length in new[] { 1, 60, 200, 70_000 })
        {
            var update = Feeds.Update("u", 7, new string('g', length)) with { TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
            var frame = Frame.Of(update);
            var wire = frame.Wire.Span;
            var header = wire[1] switch { 126 => 4, 127 => 10, _ => 2 };
            var message = Encoding.UTF8.GetString(wire[header..]);

            Assert.Equal(0x81, wire[0]);
            Assert.Equal($$"""{"type":"status_update","payload":{{Encoding.UTF8.GetString(frame.Payload.Span)}}}""", message);
            Assert.DoesNotContain("traceparent", message, StringComparison.Ordinal);
            Assert.Equal("0af7651916cd43dd8448eb211c80319c", frame.Trace.TraceId.ToHexString());
        }
    }
}
