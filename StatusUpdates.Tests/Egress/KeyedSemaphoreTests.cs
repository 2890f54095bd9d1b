using StatusUpdates.Egress;

namespace StatusUpdates.Tests.Egress;

public sealed class KeyedSemaphoreTests
{
    private readonly KeyedSemaphore _semaphore = new(slots: 2);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Each_key_has_its_own_slots_and_one_that_is_released_twice_is_one()
    {
        var first = await _semaphore.EnterAsync("a", Token);
        using var second = await _semaphore.EnterAsync("a", Token);
        var third = _semaphore.EnterAsync("a", Token);
        var fourth = _semaphore.EnterAsync("a", Token);
        using var other = await _semaphore.EnterAsync("b", Token);
        Assert.False(third.IsCompleted);

        first.Dispose();
        first.Dispose();

        using var entered = await third;
        Assert.False(fourth.IsCompleted);
        entered.Dispose();
        (await fourth).Dispose();
    }

    [Fact]
    public async Task Unused_keys_are_forgotten_and_used_ones_are_not()
    {
        var first = await _semaphore.EnterAsync("a", Token);
        var second = await _semaphore.EnterAsync("a", Token);
        Assert.Equal(1, _semaphore.Count);

        first.Dispose();
        Assert.Equal(1, _semaphore.Count);
        second.Dispose();
        Assert.Equal(0, _semaphore.Count);
    }

    [Fact]
    public async Task A_caller_that_stops_waiting_takes_no_slot_and_leaves_no_key()
    {
        var held = new[] { await _semaphore.EnterAsync("a", Token), await _semaphore.EnterAsync("a", Token) };
        using var cancellation = new CancellationTokenSource();
        var waiting = _semaphore.EnterAsync("a", cancellation.Token);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

        Array.ForEach(held, slot => slot.Dispose());

        Assert.Equal(0, _semaphore.Count);
    }
}
