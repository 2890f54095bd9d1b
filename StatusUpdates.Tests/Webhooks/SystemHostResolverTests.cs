using System.Net;
using StatusUpdates.Data.Webhooks;
using StatusUpdates.Tests.Transports;

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

    [Fact]
    public async Task Only_so_many_look_ups_are_under_way_also_when_nobody_waits_for_them_any_more()
    {
        using var answer = new ManualResetEventSlim();
        var entered = 0;
        var resolver = new SystemHostResolver(_ =>
        {
            Interlocked.Increment(ref entered);
            answer.Wait(Token);
            return [IPAddress.Loopback];
        });
        using var impatient = new CancellationTokenSource();
        var given = Enumerable.Range(0, SystemHostResolver.MaxLookUps).Select(i => resolver.ResolveAsync($"{i}.example", impatient.Token)).ToList();
        await Eventually.TrueAsync(() => Volatile.Read(ref entered) == SystemHostResolver.MaxLookUps);
        await impatient.CancelAsync();

        using var alsoImpatient = new CancellationTokenSource();
        var refused = resolver.ResolveAsync("more.example", alsoImpatient.Token);
        var waiting = resolver.ResolveAsync("last.example", Token);
        await alsoImpatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => refused);
        Assert.Equal(SystemHostResolver.MaxLookUps, Volatile.Read(ref entered));

        answer.Set();
        Assert.Single(await waiting);
        Assert.All(given, lookUp => Assert.True(lookUp.IsCanceled));
    }
}
