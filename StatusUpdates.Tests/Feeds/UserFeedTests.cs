using System.Text;
using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Tests.Feeds;

public sealed class UserFeedTests
{
    [Fact]
    public async Task A_cursor_without_since_starts_at_the_head_and_gets_later_updates()
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
    public async Task A_cursor_with_since_gets_a_replay_and_then_live_updates()
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
    public async Task Repeats_are_skipped_and_a_swapped_pair_is_reordered_without_reading_the_log()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        var first = feeds.Log.Append("u");
        var second = feeds.Log.Append("u");
        feeds.Channel.Deliver(second);
        feeds.Channel.Deliver(first);
        feeds.Channel.Deliver(first);
        feeds.Channel.Deliver(second);
        await feeds.SettleAsync();

        Assert.Equal([1, 2], await cursor.DrainAsync());
        Assert.Equal(0, feeds.Log.PageReads);
    }

    [Fact]
    public async Task A_gap_waits_for_the_missing_update_which_is_then_read_from_the_log_once()
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
    public async Task The_sweep_finds_updates_that_were_not_announced()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Log.Append("u");
        await feeds.SweepAsync();

        Assert.Equal([1], await cursor.DrainAsync());
    }

    [Fact]
    public async Task A_repair_does_not_deliver_an_announced_update_that_was_not_committed()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Channel.Deliver(Feeds.Update("u", 2));
        await feeds.SettleAsync();
        feeds.Publish("u");
        await feeds.SweepAsync();

        Assert.Equal([1], await cursor.DrainAsync());
    }

    [Fact]
    public async Task A_log_that_was_set_back_resyncs_every_cursor_that_was_past_its_head_and_no_other()
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
    public async Task A_connection_opened_between_a_restore_and_the_sweep_gets_nothing_of_the_old_log()
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
    public async Task A_cursor_behind_a_restored_log_that_has_grown_again_gets_the_new_log_and_nothing_of_the_old_one()
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
    public async Task A_gap_that_opens_while_the_log_is_read_for_another_gap_is_closed_as_well()
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
    public async Task A_read_that_hangs_times_out_and_the_sweep_lets_the_cursor_continue()
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
    public async Task A_log_that_was_set_back_and_grew_is_detected_by_an_update_that_differs_from_the_one_sent_with_its_number()
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
    public async Task A_log_that_was_set_back_and_grew_to_or_past_what_was_sent_resyncs_every_cursor(int lost, int grown)
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

        // One client that was disconnected meanwhile, one that has only the number, and one that stayed connected and got no announcement.
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
    public async Task An_announced_update_that_follows_another_update_than_the_one_sent_causes_a_resync()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Publish("u");
        feeds.Publish("u");
        Assert.Equal([1, 2], await cursor.DrainAsync());
        feeds.Log.Restore("u", 1);
        feeds.Log.Append("u");

        // 3 comes right after 2, but after a different 2.
        feeds.Publish("u");
        Assert.Empty(await cursor.DrainAsync());
        await feeds.SettleAsync();
        Assert.Equal([-3], await cursor.DrainAsync());
    }

    [Fact]
    public async Task A_log_that_was_set_back_is_detected_although_the_frames_that_differ_have_been_freed_meanwhile()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Publish("u");
        feeds.Publish("u");
        feeds.Publish("u");
        Assert.Equal([1, 2, 3], await cursor.DrainAsync());
        feeds.Log.Restore("u", 2);
        feeds.Log.IsAway = true;
        feeds.Publish("u");
        await feeds.SettleAsync();
        feeds.Log.Append("u");
        feeds.Log.Append("u");
        feeds.Log.IsAway = false;
        feeds.Time.Advance(feeds.Context.Options.RingIdle);
        await feeds.SweepAsync();

        Assert.Equal([-4], await cursor.DrainAsync());
    }

    [Fact]
    public async Task An_announced_update_without_its_predecessor_is_read_from_the_log()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Channel.Deliver(feeds.Log.Append("u") with { After = null });
        Assert.Empty(await cursor.DrainAsync());
        await feeds.SettleAsync();
        Assert.Equal([1], await cursor.DrainAsync());

        // An uncommitted update is never sent either, even with the right number.
        feeds.Channel.Deliver(Feeds.Update("u", 2));
        await feeds.SettleAsync();
        Assert.Empty(await cursor.DrainAsync());
    }

    [Fact]
    public async Task A_since_outside_the_log_on_either_side_causes_a_resync_to_the_head()
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
    public async Task A_connected_cursor_that_retention_overtakes_gets_a_resync()
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
    public async Task A_signal_without_a_read_in_progress_ends_the_next_read_and_no_other()
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
    public async Task An_update_without_seq_is_sent_live_to_all_and_moves_no_cursor()
    {
        await using var feeds = new Feeds();
        using var cursor = await feeds.OpenAsync("u");
        feeds.Channel.Deliver(Feeds.Update("u", null, "gen-9"));
        using (var read = await cursor.ReadAsync(TestTime.Token))
        {
            Assert.Equal(FeedReadKind.Unlogged, read.Kind);
            Assert.Equal("gen-9", read.Frames[0].GenerationId);
            Assert.DoesNotContain("seq", Encoding.UTF8.GetString(read.Frames[0].Payload.Span), StringComparison.Ordinal);
        }

        Assert.Equal(0, cursor.Position.Seq);
        using var late = await feeds.OpenAsync("u", since: 0);
        Assert.Empty(await late.DrainAsync());
    }

    [Fact]
    public async Task A_filtered_cursor_gets_only_its_generation_and_its_position_moves_with_the_log()
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
    public async Task Cursors_that_are_behind_wait_while_the_database_is_away()
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

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_read_that_the_database_refuses_is_an_error_in_the_log_and_is_retried_by_the_next_sweep(bool isBehind)
    {
        await using var feeds = new Feeds(o => o.RingFrames = 8);
        using var cursor = await feeds.OpenAsync("u");
        for (var i = 0; i < 20; i++)
        {
            // Either read by the connection, whose place is no longer in the ring, or by the feed, which got no message.
            _ = isBehind ? feeds.Publish("u") : feeds.Log.Append("u");
        }

        if (!isBehind)
        {
            feeds.Channel.Deliver(feeds.Log.Append("u"));
        }

        feeds.Log.Refuses = true;
        var reading = cursor.NextAsync();
        await feeds.SettleAsync();
        var reads = feeds.Log.PageReads;
        await feeds.SettleAsync();

        Assert.False(reading.IsCompleted);
        Assert.Equal(reads, feeds.Log.PageReads);
        Assert.Contains(feeds.DatabaseLogs.Lines, line => line.StartsWith("Error", StringComparison.Ordinal) && line.Contains("could not read its log", StringComparison.Ordinal));
        Assert.DoesNotContain(feeds.DatabaseLogs.Lines, line => line.StartsWith("Warning", StringComparison.Ordinal));

        feeds.Log.Refuses = false;
        await feeds.SweepAsync();
        Assert.Equal(1, (await reading)[0]);
    }

    [Fact]
    public async Task A_stalled_cursor_that_the_shared_ring_has_overtaken_continues_from_the_log()
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
    public async Task An_idle_feed_frees_the_memory_of_its_frames_and_loses_nothing()
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
    public void A_frame_of_any_length_is_a_whole_message_without_the_trace()
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
