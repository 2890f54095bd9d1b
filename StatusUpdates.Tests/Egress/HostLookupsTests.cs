using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using StatusUpdates.Egress;

namespace StatusUpdates.Tests.Egress;

public sealed class HostLookupsTests
{
    private static readonly IPAddress[] Addresses = [IPAddress.Parse("198.41.0.4")];

    private readonly FakeTimeProvider _time = new();
    private readonly ManualResolver _resolver = new();
    private readonly HostLookups _lookups;

    public HostLookupsTests() => _lookups = new(_resolver, _time);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task All_callers_for_a_name_share_one_lookup_and_one_that_cancels_does_not_end_it_for_others()
    {
        using var cancellation = new CancellationTokenSource();
        var canceled = _lookups.ResolveAsync("a.example", "alice", cancellation.Token);
        await _resolver.UntilAskedAsync("a.example");
        var others = Enumerable.Range(0, 100).Select(i => _lookups.ResolveAsync(i % 2 == 0 ? "a.example" : "A.Example", $"user-{i}", Token)).ToList();
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => canceled);

        _resolver.Answer("a.example", Addresses);

        Assert.All(await Task.WhenAll(others), addresses => Assert.Equal(Addresses, addresses));
        Assert.Equal(["a.example"], [.. _resolver.Asked]);
    }

    [Fact]
    public async Task Names_that_nobody_asks_for_any_more_are_forgotten_when_there_are_many()
    {
        var lookups = new HostLookups(new InstantResolver(), _time);
        for (var i = 0; i < HostLookups.MaxRemembered; i++)
        {
            await lookups.ResolveAsync($"{i}.example", "alice", Token);
        }

        _time.Advance(TimeSpan.FromSeconds(19));
        await lookups.ResolveAsync("still-known.example", "alice", Token);
        Assert.Equal(HostLookups.MaxRemembered + 1, lookups.Remembered);

        _time.Advance(TimeSpan.FromSeconds(1));
        await lookups.ResolveAsync("new.example", "alice", Token);
        Assert.Equal(2, lookups.Remembered);
    }

    [Fact]
    public async Task A_zone_that_does_not_answer_uses_a_few_slots_of_its_owner_and_none_of_other_owners()
    {
        var dead = Enumerable.Range(0, 20).Select(i => _lookups.ResolveAsync($"{i}.dead.example", "mallory", Token)).ToList();
        await Eventually.TrueAsync(() => _resolver.Asked.Count == HostLookups.MaxPerOwner);

        var other = _lookups.ResolveAsync("alive.example", "alice", Token);
        await _resolver.UntilAskedAsync("alive.example");
        _resolver.Answer("alive.example", Addresses);
        Assert.Equal(Addresses, await other);

        // Other names of the same owner get no slot, and their callers learn that.
        var waiting = _lookups.TryResolveAsync("alive-too.example", "mallory", TimeSpan.FromSeconds(1), Token);
        Assert.False(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(await waiting);
        Assert.Equal(HostLookups.MaxPerOwner + 1, _resolver.Asked.Count);

        // Slots become free when lookups end, not when no one waits for them any more.
        _time.Advance(HostLookups.Timeout);
        var ended = _resolver.Asked.First();
        _resolver.Fail(ended, SocketError.TryAgain);
        await Eventually.TrueAsync(() => _resolver.Asked.Count == HostLookups.MaxPerOwner + 2);
        await Eventually.TrueAsync(() => dead.Count(lookUp => lookUp.IsFaulted) == HostLookups.MaxPerOwner);
    }

    [Fact]
    public async Task A_lookup_that_takes_too_long_fails_for_later_callers_too_and_for_a_while_after_it_has_ended()
    {
        var first = _lookups.ResolveAsync("dead.example", "alice", Token);
        await _resolver.UntilAskedAsync("dead.example");
        _time.Advance(HostLookups.Timeout);
        await FailsAsync(first, SocketError.TryAgain);
        await FailsAsync(_lookups.ResolveAsync("dead.example", "alice", Token), SocketError.TryAgain);
        await FailsAsync(_lookups.TryResolveAsync("dead.example", "bob", TimeSpan.FromSeconds(1), Token), SocketError.TryAgain);

        _resolver.Fail("dead.example", SocketError.HostNotFound);
        while ((await Assert.ThrowsAsync<SocketException>(() => _lookups.ResolveAsync("dead.example", "alice", Token))).SocketErrorCode != SocketError.HostNotFound)
        {
            await Task.Yield();
        }

        _time.Advance(TimeSpan.FromSeconds(29));
        await FailsAsync(_lookups.ResolveAsync("dead.example", "alice", Token), SocketError.HostNotFound);
        Assert.Single(_resolver.Asked);

        _time.Advance(TimeSpan.FromSeconds(2));
        var again = _lookups.ResolveAsync("dead.example", "alice", Token);
        await Eventually.TrueAsync(() => _resolver.Asked.Count == 2);
        _resolver.Answer("dead.example", Addresses);
        Assert.Equal(Addresses, await again);
    }

    [Fact]
    public async Task A_name_without_addresses_is_looked_up_again_soon_and_one_with_addresses_when_they_are_no_longer_fresh()
    {
        var none = _lookups.ResolveAsync("a.example", "alice", Token);
        await _resolver.UntilAskedAsync("a.example");
        _resolver.Answer("a.example", []);
        await FailsAsync(none, SocketError.HostNotFound);
        await FailsAsync(_lookups.ResolveAsync("a.example", "alice", Token), SocketError.HostNotFound);
        Assert.Single(_resolver.Asked);
        _time.Advance(TimeSpan.FromSeconds(2));
        var some = _lookups.ResolveAsync("a.example", "alice", Token);
        await Eventually.TrueAsync(() => _resolver.Asked.Count == 2);
        _resolver.Answer("a.example", Addresses);
        Assert.Equal(Addresses, await some);

        // Addresses must be fresh when a delivery begins; when it connects, older ones are still used.
        _time.Advance(HostLookups.FreshFor);
        Assert.Equal(Addresses, await _lookups.ResolveAsync("a.example", "alice", Token));
        Assert.Equal(2, _resolver.Asked.Count);
        var fresh = _lookups.TryResolveAsync("a.example", "alice", TimeSpan.FromSeconds(1), Token);
        await Eventually.TrueAsync(() => _resolver.Asked.Count == 3);
        _resolver.Answer("a.example", [IPAddress.Loopback]);
        Assert.Equal([IPAddress.Loopback], await fresh);
    }

    [Fact]
    public async Task Only_a_limited_number_of_lookups_run_at_once_for_all_callers_together()
    {
        var all = Enumerable.Range(0, HostLookups.MaxLookups + 5).Select(i => _lookups.ResolveAsync($"{i}.example", $"user-{i}", Token)).ToList();
        await Eventually.TrueAsync(() => _resolver.Asked.Count == HostLookups.MaxLookups);
        for (var n = 0; n < all.Count; n++)
        {
            await Eventually.TrueAsync(() => _resolver.Asked.Count > n);
            Assert.InRange(_resolver.Asked.Count - n, 1, HostLookups.MaxLookups);
            _resolver.Answer(_resolver.Asked.ElementAt(n), Addresses);
        }

        await Task.WhenAll(all);
    }

    private static async Task FailsAsync(Task lookUp, SocketError error) =>
        Assert.Equal(error, (await Assert.ThrowsAsync<SocketException>(() => lookUp)).SocketErrorCode);

    // Answers when the test says so.
    private sealed class InstantResolver : IHostResolver
    {
        public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) => Task.FromResult(Addresses);
    }

    private sealed class ManualResolver : IHostResolver
    {
        private readonly ConcurrentDictionary<string, TaskCompletionSource<IPAddress[]>> _answers = new();

        public ConcurrentQueue<string> Asked { get; } = [];

        public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
        {
            var answer = _answers[host] = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Asked.Enqueue(host);
            return answer.Task.WaitAsync(Token);
        }

        public Task UntilAskedAsync(string host) => Eventually.TrueAsync(() => Asked.Contains(host));

        public void Answer(string host, IPAddress[] addresses) => _answers[host].SetResult(addresses);

        public void Fail(string host, SocketError error) => _answers[host].SetException(new SocketException((int)error));
    }
}
