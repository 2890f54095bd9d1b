using StatusUpdates.Client;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client;

/// <summary>An HTTP handler of the caller, such as one with a circuit breaker, can throw exceptions of its own.</summary>
public sealed class HandlerFailureTests(SharedApi shared) : IClassFixture<SharedApi>
{
    private readonly string _alice = SharedApi.NewUser("alice");

    public enum Thrown
    {
        Custom,
        InvalidOperation,
        ForeignCancellation,
    }

    [Theory]
    [InlineData(Thrown.Custom, false)]
    [InlineData(Thrown.Custom, true)]
    [InlineData(Thrown.InvalidOperation, true)]
    [InlineData(Thrown.ForeignCancellation, false)]
    [InlineData(Thrown.ForeignCancellation, true)]
    public async Task A_feed_retries_after_a_wait_whatever_exception_a_handler_throws(Thrown thrown, bool isSocketRefused)
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
    public async Task An_exception_of_the_token_provider_while_a_feed_polls_is_thrown_to_the_caller()
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
    public async Task A_canceled_feed_ends_even_though_its_handler_keeps_failing()
    {
        using var handler = new FailingHandler(_ => ExceptionOf(Thrown.Custom));
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
        Thrown.Custom => new CircuitIsOpenException(),
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
