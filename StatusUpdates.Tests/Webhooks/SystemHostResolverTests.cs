using System.Net;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Tests.Webhooks;

public sealed class SystemHostResolverTests
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_look_up_that_hangs_holds_no_thread_of_the_pool_and_nobody_who_does_not_want_to_wait()
    {
        using var answer = new ManualResetEventSlim();
        var entered = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var resolver = new SystemHostResolver(_ =>
        {
            entered.TrySetResult(Thread.CurrentThread.IsThreadPoolThread);
            answer.Wait(Token);
            return [IPAddress.Loopback];
        });
        using var impatient = new CancellationTokenSource();

        var given = resolver.ResolveAsync("dead.example", impatient.Token);
        var patient = resolver.ResolveAsync("dead.example", Token);
        Assert.False(await entered.Task.WaitAsync(Token));
        await impatient.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        Assert.False(patient.IsCompleted);
        answer.Set();
        Assert.Equal([IPAddress.Loopback], (await patient).ToList());
    }
}
