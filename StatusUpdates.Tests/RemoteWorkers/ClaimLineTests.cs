using Microsoft.Extensions.Time.Testing;
using StatusUpdates.Api.Workers;
using StatusUpdates.Data.Types;

namespace StatusUpdates.Tests.RemoteWorkers;

public sealed class ClaimLineTests
{
    private static readonly TimeSpan Long = TimeSpan.FromHours(1);

    private readonly FakeTimeProvider _time = new();
    private readonly ClaimLine _line;

    public ClaimLineTests() => _line = new(["sora", "anything"], GenerationTypes.Default, new WorkerProtocolOptions(), _time);

    [Fact]
    public async Task A_wake_up_wakes_the_one_that_has_waited_longest_and_no_other()
    {
        var waits = Enumerable.Range(0, 3).Select(_ => _line.WaitAsync(_line.Missed, Long, TestTime.Token)).ToArray();
        _line.Wake();
        Assert.True(await waits[0]);
        Assert.False(waits[1].IsCompleted);
        _line.Wake();
        Assert.True(await waits[1]);
        Assert.False(waits[2].IsCompleted);
    }

    [Fact]
    public async Task A_wake_up_during_a_claim_is_not_missed()
    {
        var missed = _line.Missed;
        _line.Wake();
        Assert.True(await _line.WaitAsync(missed, Long, TestTime.Token));
        Assert.False(_line.WaitAsync(_line.Missed, Long, TestTime.Token).IsCompleted);
    }

    [Fact]
    public async Task One_that_leaves_is_not_woken_instead_of_the_next()
    {
        using var gone = new CancellationTokenSource();
        var leaving = _line.WaitAsync(_line.Missed, Long, gone.Token);
        var next = _line.WaitAsync(_line.Missed, Long, TestTime.Token);
        await gone.CancelAsync();
        Assert.False(await leaving);
        _line.Wake();
        Assert.True(await next);
    }

    [Fact]
    public async Task A_wait_ends_with_its_time()
    {
        var wait = _line.WaitAsync(_line.Missed, TimeSpan.FromMilliseconds(10), TestTime.Token);
        _time.Advance(TimeSpan.FromMilliseconds(10));
        Assert.False(await wait);
    }

    [Fact]
    public async Task A_poll_wakes_one_and_only_while_somebody_waits()
    {
        for (var i = 0; i < 3; i++)
        {
            var (first, second) = (_line.WaitAsync(_line.Missed, Long, TestTime.Token), _line.WaitAsync(_line.Missed, Long, TestTime.Token));
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.True(await first);
            _time.Advance(TimeSpan.FromSeconds(1));
            Assert.True(await second);
            _time.Advance(TimeSpan.FromSeconds(10));
        }
    }

    [Fact]
    public void A_task_that_is_not_registered_may_be_of_any_type()
    {
        Assert.Equal(["sora", "anything"], _line.TasksOf("sora"));
        Assert.Equal(["anything"], _line.TasksOf("chat"));
    }

    [Fact]
    public void One_claim_of_a_line_sweeps_in_an_interval()
    {
        Assert.True(_line.TakeSweep());
        Assert.False(_line.TakeSweep());
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(_line.TakeSweep());
        _line.SweepAgain();
        Assert.True(_line.TakeSweep());
    }
}
