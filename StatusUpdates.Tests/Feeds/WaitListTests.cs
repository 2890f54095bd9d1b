using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Tests.Feeds;

public sealed class WaitListTests
{
    [Fact]
    public async Task A_change_after_the_reader_has_looked_ends_its_wait_and_the_next_one_lasts()
    {
        var list = new WaitList();
        var waiter = new FeedWaiter(list);
        var seen = list.Changes;
        list.Changed();
        Assert.True(waiter.WaitAsync(seen).AsTask().IsCompletedSuccessfully);

        var wait = waiter.WaitAsync(list.Changes).AsTask();
        Assert.False(wait.IsCompleted);
        list.Changed();
        await wait.WaitAsync(TestTime.Token);
    }

    [Fact]
    public async Task A_signal_ends_the_wait_of_its_reader_and_of_no_other()
    {
        var list = new WaitList();
        FeedWaiter[] waiters = [new(list), new(list), new(list)];
        var waits = Array.ConvertAll(waiters, waiter => waiter.WaitAsync(list.Changes).AsTask());
        waiters[1].Signal();
        await waits[1].WaitAsync(TestTime.Token);
        Assert.True(waiters[1].TakeSignal());
        Assert.False(waiters[1].TakeSignal());
        Assert.False(waits[0].IsCompleted);
        Assert.False(waits[2].IsCompleted);

        list.Changed();
        await Task.WhenAll(waits).WaitAsync(TestTime.Token);
    }

    [Fact]
    public async Task A_reader_that_waits_for_the_log_is_woken_by_a_retry_and_not_by_what_came_before()
    {
        var list = new WaitList();
        var (stalled, other) = (new FeedWaiter(list), new FeedWaiter(list));
        var waitOfOther = other.WaitAsync(list.Changes).AsTask();
        list.RetryStalled();
        Assert.False(waitOfOther.IsCompleted);

        list.Changed();
        var wait = stalled.WaitForLogAsync().AsTask();
        Assert.False(wait.IsCompleted);
        list.RetryStalled();
        await Task.WhenAll(wait, waitOfOther).WaitAsync(TestTime.Token);
    }
}
