using StatusUpdates.Client;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client;

/// <summary>A handler of the caller's, such as one with a circuit breaker, has exceptions of its own.</summary>
public sealed class HandlerFailureTests(SharedApi shared) : IClassFixture<SharedApi>
{
    private readonly string _alice = SharedApi.NewUser("alice");

    public enum Thrown
    {
        OfItsOwn,
        InvalidOperation,
        ForeignCancellation,
    }

    [Theory]
    [InlineData(Thrown.OfItsOwn, false)]
    [InlineData(Thrown.OfItsOwn, true)]
    [InlineData(Thrown.InvalidOperation, true)]
    [InlineData(Thrown.ForeignCancellation, false)]
    [InlineData(Thrown.ForeignCancellation, true)]
    public async Task Whatever_a_handler_throws_a_feed_waits_and_tries_again(Thrown thrown, bool isSocketRefused)
    {
        var api = await shared.ApiAsync();
        await using var gateway = await Gateway.StartAsync(api.Address);
        gateway.Answer = context => Task.FromResult(isSocketRefused && Gateway.IsSocket(context) && Gateway.Refuse(context, 502));
        using var handler = new FailingHandler(count => count % 3 == 0 || count < 6 ? ExceptionOf(thrown) : null);
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address, _alice) with { HttpMessageHandler = handler });
        await using var reader = client.Watch(new() { Since = 0 }).Read();
        for (var seq = 1; seq <= 5; seq++)
        {
            reader.Begin();
            await api.PublishAsync(_alice);
            await reader.ExpectAsync(seq, seq);
        }

        Assert.InRange(handler.Failures, 4, int.MaxValue);
    }

    [Fact]
    public async Task What_the_token_provider_throws_while_a_feed_polls_is_still_the_callers_to_know()
    {
        await using var gateway = await Gateway.StartAsync();
        gateway.Answer = context => Task.FromResult(Gateway.Refuse(context, Gateway.IsSocket(context) ? 502 : 401));
        var asked = 0;
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address, _alice) with
        {
            AccessTokenProvider = _ => ++asked == 1 ? ValueTask.FromResult("first") : throw new InvalidOperationException("signed out"),
        });
        await using var reader = client.Watch(new() { Since = 0 }).Read();

        Assert.Equal("signed out", (await Assert.ThrowsAsync<InvalidOperationException>(reader.NextAsync)).Message);
    }

    [Fact]
    public async Task A_handler_that_fails_is_no_reason_to_go_on_for_a_caller_who_has_canceled()
    {
        using var handler = new FailingHandler(_ => ExceptionOf(Thrown.OfItsOwn));
        using var client = new StatusUpdatesClient(ClientScene.Options(new("http://127.0.0.1:9"), _alice) with { HttpMessageHandler = handler });
        using var stop = new CancellationTokenSource();
        await using var items = client.Watch(new() { Since = 0 }).GetAsyncEnumerator(stop.Token);
        var moving = items.MoveNextAsync().AsTask();
        await Eventually.TrueAsync(() => handler.Failures > 3);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => moving.WaitAsync(TestTime.Token));
    }

    private static Exception ExceptionOf(Thrown thrown) => thrown switch
    {
        Thrown.OfItsOwn => new CircuitIsOpenException(),
        Thrown.InvalidOperation => new InvalidOperationException("not now"),
        _ => new TaskCanceledException("not the caller's"),
    };

    private sealed class CircuitIsOpenException : Exception;

    private sealed class FailingHandler(Func<int, Exception?> failureOf) : DelegatingHandler(new SocketsHttpHandler())
    {
        private int _requests = -1;
        private int _failures;

        public int Failures => Volatile.Read(ref _failures);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (failureOf(Interlocked.Increment(ref _requests)) is { } failure)
            {
                Interlocked.Increment(ref _failures);
                return Task.FromException<HttpResponseMessage>(failure);
            }

            return base.SendAsync(request, cancellationToken);
        }
    }
}
