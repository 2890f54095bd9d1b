using System.Net;
using StatusUpdates.Egress;

namespace StatusUpdates.Tests.Egress;

public sealed class SystemHostResolverTests
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_lookup_that_hangs_blocks_no_thread_of_the_pool_and_no_caller_that_cancels()
    {
        using var answer = new ManualResetEventSlim();
        var entered = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var resolver = new SystemHostResolver(_ =>
        {
            entered.TrySetResult(Thread.CurrentThread.IsThreadPoolThread);
            answer.Wait(Token);
            return [IPAddress.Loopback];
        });
        using var cancellation = new CancellationTokenSource();

        var canceled = resolver.ResolveAsync("dead.example", cancellation.Token);
        var waiting = resolver.ResolveAsync("dead.example", Token);
        Assert.False(await entered.Task.WaitAsync(Token));
        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => canceled);
        Assert.False(waiting.IsCompleted);
        answer.Set();
        Assert.Equal([IPAddress.Loopback], (await waiting).ToList());
    }
}
