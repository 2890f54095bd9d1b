#if !ASPIRE
using System.Collections.Concurrent;
using StatusUpdates.LocalHosting.Engine;
using StatusUpdates.LocalHosting.Native;

namespace StatusUpdates.Tests.Hosting;

public sealed class SupervisedInstanceTests
{
    private readonly TimeProvider _time = new ImpatientTime();
    private readonly StateBoard _board = new();
    private readonly ConcurrentQueue<string> _log = new();
    private readonly RedisResource _resource = new("thing", port: null);

    public SupervisedInstanceTests()
    {
        _board.Add("thing", _resource);
    }

    [Fact]
    public async Task A_process_that_never_comes_up_is_given_up_with_its_reason()
    {
        var launches = 0;
        await using var instance = Create(_ =>
        {
            launches++;
            throw new ChildProcessException("no luck");
        });

        await instance.StartAsync(TestTime.Token);
        var state = await UntilAsync(KnownResourceStates.FailedToStart);

        Assert.Equal(SupervisedInstance.MostEarlyFailures, launches);
        Assert.Contains("no luck", state.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_was_healthy_is_started_again_however_often_it_ends()
    {
        var lives = new ConcurrentQueue<TaskCompletionSource<string>>();
        var launches = 0;
        await using var instance = Create(_ =>
        {
            var life = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            lives.Enqueue(life);
            return Task.FromResult(new RunningProcess(++launches, life.Task, () => Task.FromResult(life.TrySetResult("stopped")), () => { }));
        });
        await instance.StartAsync(TestTime.Token);

        for (var life = 1; life <= 2 * SupervisedInstance.MostEarlyFailures; life++)
        {
            await _board.UntilAsync("thing", all => all[0].IsHealthy && all[0].ProcessId == life, TestTime.Token);
            Assert.True(lives.TryDequeue(out var current));
            current.SetResult("it fell over");
        }

        await _board.UntilAsync("thing", all => all[0].IsHealthy, TestTime.Token);
        Assert.All(_log, line => Assert.StartsWith("it fell over", line, StringComparison.Ordinal));
    }

    [Fact]
    public void The_back_off_doubles_within_its_jitter_to_half_a_minute_and_begins_anew_when_reset()
    {
        var backoff = new Backoff();
        var pauses = Enumerable.Range(0, 12).Select(_ => backoff.Next().TotalMilliseconds).ToList();

        Assert.InRange(pauses[0], 187, 313);
        Assert.InRange(pauses[1], 375, 625);
        Assert.InRange(pauses[11], 22_500, 37_500);
        backoff.Reset();
        Assert.InRange(backoff.Next().TotalMilliseconds, 187, 313);
    }

    private SupervisedInstance Create(Func<CancellationToken, Task<RunningProcess>> launch) =>
        new("thing", _resource, _board, _time, (_, line) => _log.Enqueue(line)) { Launch = launch };

    private async Task<InstanceState> UntilAsync(string state) =>
        (await _board.UntilAsync("thing", all => all[0].State == state, TestTime.Token))[0];

    /// <summary>Whoever waits, waits a millisecond.</summary>
    private sealed class ImpatientTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, TimeSpan.FromMilliseconds(1), period);
    }
}
#endif
