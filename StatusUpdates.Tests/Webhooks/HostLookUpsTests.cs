using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using StatusUpdates.Data.Webhooks;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Webhooks;

public sealed class HostLookUpsTests
{
    private static readonly IPAddress[] Addresses = [IPAddress.Parse("198.41.0.4")];

    private readonly FakeTimeProvider _time = new();
    private readonly AskedResolver _resolver = new();
    private readonly HostLookUps _lookUps;

    public HostLookUpsTests() => _lookUps = new(_resolver, _time);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task All_who_ask_for_a_name_share_one_look_up_and_who_gives_up_ends_nobody_elses()
    {
        using var impatient = new CancellationTokenSource();
        var given = _lookUps.ResolveAsync("a.example", "alice", impatient.Token);
        await _resolver.UntilAskedAsync("a.example");
        var others = Enumerable.Range(0, 100).Select(i => _lookUps.ResolveAsync(i % 2 == 0 ? "a.example" : "A.Example", $"user-{i}", Token)).ToList();
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);

        _resolver.Answer("a.example", Addresses);

        Assert.All(await Task.WhenAll(others), addresses => Assert.Equal(Addresses, addresses));
        Assert.Equal(["a.example"], [.. _resolver.Asked]);
    }

    [Fact]
    public async Task A_zone_that_does_not_answer_holds_a_few_places_of_its_owner_and_none_of_anybody_elses()
    {
        var dead = Enumerable.Range(0, 20).Select(i => _lookUps.ResolveAsync($"{i}.dead.example", "mallory", Token)).ToList();
        await Eventually.TrueAsync(() => _resolver.Asked.Count == HostLookUps.MaxPerOwner);

        var other = _lookUps.ResolveAsync("alive.example", "alice", Token);
        await _resolver.UntilAskedAsync("alive.example");
        _resolver.Answer("alive.example", Addresses);
        Assert.Equal(Addresses, await other);

        // Its owner's own other names have no place, and are told so.
        var waiting = _lookUps.TryResolveAsync("alive-too.example", "mallory", TimeSpan.FromSeconds(1), Token);
        Assert.False(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(await waiting);
        Assert.Equal(HostLookUps.MaxPerOwner + 1, _resolver.Asked.Count);

        // Places are free when look-ups end: not when nobody waits for them any more.
        _time.Advance(HostLookUps.Patience);
        var ended = _resolver.Asked.First();
        _resolver.Fail(ended, SocketError.TryAgain);
        await Eventually.TrueAsync(() => _resolver.Asked.Count == HostLookUps.MaxPerOwner + 2);
        await Eventually.TrueAsync(() => dead.Count(lookUp => lookUp.IsFaulted) == HostLookUps.MaxPerOwner);
    }

    [Fact]
    public async Task A_look_up_that_takes_too_long_has_failed_also_for_who_asks_again_and_for_a_while_after()
    {
        var first = _lookUps.ResolveAsync("dead.example", "alice", Token);
        await _resolver.UntilAskedAsync("dead.example");
        _time.Advance(HostLookUps.Patience);
        await FailsAsync(first, SocketError.TryAgain);
        await FailsAsync(_lookUps.ResolveAsync("dead.example", "alice", Token), SocketError.TryAgain);
        await FailsAsync(_lookUps.TryResolveAsync("dead.example", "bob", TimeSpan.FromSeconds(1), Token), SocketError.TryAgain);

        _resolver.Fail("dead.example", SocketError.HostNotFound);
        while ((await Assert.ThrowsAsync<SocketException>(() => _lookUps.ResolveAsync("dead.example", "alice", Token))).SocketErrorCode != SocketError.HostNotFound)
        {
            await Task.Yield();
        }

        _time.Advance(TimeSpan.FromSeconds(29));
        await FailsAsync(_lookUps.ResolveAsync("dead.example", "alice", Token), SocketError.HostNotFound);
        Assert.Single(_resolver.Asked);

        _time.Advance(TimeSpan.FromSeconds(2));
        var again = _lookUps.ResolveAsync("dead.example", "alice", Token);
        await Eventually.TrueAsync(() => _resolver.Asked.Count == 2);
        _resolver.Answer("dead.example", Addresses);
        Assert.Equal(Addresses, await again);
    }

    [Fact]
    public async Task A_name_without_addresses_is_asked_again_soon_and_one_with_addresses_when_they_are_not_fresh()
    {
        var none = _lookUps.ResolveAsync("a.example", "alice", Token);
        await _resolver.UntilAskedAsync("a.example");
        _resolver.Answer("a.example", []);
        await FailsAsync(none, SocketError.HostNotFound);
        await FailsAsync(_lookUps.ResolveAsync("a.example", "alice", Token), SocketError.HostNotFound);
        Assert.Single(_resolver.Asked);
        _time.Advance(TimeSpan.FromSeconds(2));
        var some = _lookUps.ResolveAsync("a.example", "alice", Token);
        await Eventually.TrueAsync(() => _resolver.Asked.Count == 2);
        _resolver.Answer("a.example", Addresses);
        Assert.Equal(Addresses, await some);

        // Fresh when a delivery begins; and then still there when it connects.
        _time.Advance(HostLookUps.Fresh);
        Assert.Equal(Addresses, await _lookUps.ResolveAsync("a.example", "alice", Token));
        Assert.Equal(2, _resolver.Asked.Count);
        var fresh = _lookUps.TryResolveAsync("a.example", "alice", TimeSpan.FromSeconds(1), Token);
        await Eventually.TrueAsync(() => _resolver.Asked.Count == 3);
        _resolver.Answer("a.example", [IPAddress.Loopback]);
        Assert.Equal([IPAddress.Loopback], await fresh);
    }

    [Fact]
    public async Task Only_so_many_look_ups_are_under_way_at_once_whoever_asks()
    {
        var all = Enumerable.Range(0, HostLookUps.MaxLookUps + 5).Select(i => _lookUps.ResolveAsync($"{i}.example", $"user-{i}", Token)).ToList();
        await Eventually.TrueAsync(() => _resolver.Asked.Count == HostLookUps.MaxLookUps);
        for (var n = 0; n < all.Count; n++)
        {
            await Eventually.TrueAsync(() => _resolver.Asked.Count > n);
            Assert.InRange(_resolver.Asked.Count - n, 1, HostLookUps.MaxLookUps);
            _resolver.Answer(_resolver.Asked.ElementAt(n), Addresses);
        }

        await Task.WhenAll(all);
    }

    private static async Task FailsAsync(Task lookUp, SocketError error) =>
        Assert.Equal(error, (await Assert.ThrowsAsync<SocketException>(() => lookUp)).SocketErrorCode);

    // Answers when it is told to.
    private sealed class AskedResolver : IHostResolver
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
