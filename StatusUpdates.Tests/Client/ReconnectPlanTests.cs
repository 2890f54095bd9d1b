using System.Net;
using CsCheck;
using StatusUpdates.Client;
using StatusUpdates.Client.Feeds;
using StatusUpdates.Client.Http;

namespace StatusUpdates.Tests.Client;

public sealed class ReconnectPlanTests
{
    /// <summary>Random failures, connections between them, and times: the bounds that the plan must always keep.</summary>
    [Fact]
    public void The_plan_stays_within_its_bounds_for_any_sequence_of_failures()
    {
        var step = Gen.Select(Gen.Enum<FeedFailureKind>(), Gen.Bool, Gen.Int[0, 40], Gen.OneOf(Gen.Int[-1, 700], Gen.Int[0, int.MaxValue]), Gen.Double[0, 0.999]);
        step.Array[1, 60].Sample(steps =>
        {
            var time = new ManualTime();
            var options = ClientScene.Options(new("http://localhost")) with
            {
                TimeProvider = time,
                ReconnectDelay = TimeSpan.FromSeconds(1),
                ReconnectMaxDelay = TimeSpan.FromSeconds(30),
            };
            var sample = 0.0;
            var plan = new ReconnectPlan(options, () => sample);
            var refusals = 0;
            var immediate = 0;
            foreach (var (kind, isThrough, seconds, retryAfter, random) in steps)
            {
                sample = random;
                var transport = plan.Transport;
                if (isThrough)
                {
                    plan.OnConnected();
                    refusals = 0;
                    time.Advance(TimeSpan.FromSeconds(seconds));
                }

                TimeSpan? requested = kind == FeedFailureKind.Unavailable && retryAfter >= 0 ? TimeSpan.FromSeconds(retryAfter) : null;
                var failure = new FeedFailure(kind, new StatusUpdatesException("x") { StatusCode = HttpStatusCode.Unauthorized }, requested);
                refusals = kind == FeedFailureKind.TokenRefused ? refusals + 1 : 0;
                if (refusals == TokenRetry.MaxRefusals)
                {
                    Assert.Throws<StatusUpdatesException>(() => plan.After(failure));
                    return;
                }

                var wait = plan.After(failure);
                var min = requested is null ? TimeSpan.Zero : requested < TimeSpan.FromMinutes(10) ? requested.Value : TimeSpan.FromMinutes(10);
                Assert.InRange(wait, min, min + options.ReconnectMaxDelay);
                if (refusals > 1)
                {
                    // Gives the server time to load the token's key.
                    Assert.InRange(wait, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4));
                }

                if (kind is FeedFailureKind.Lost or FeedFailureKind.Unreachable && transport == StatusTransport.WebSocket)
                {
                    // Failures that do not concern WebSockets do not change the transport.
                    Assert.Equal(StatusTransport.WebSocket, plan.Transport);
                }

                if (kind == FeedFailureKind.UpgradeRefused && transport == StatusTransport.WebSocket)
                {
                    Assert.Equal((StatusTransport.LongPolling, TimeSpan.Zero), (plan.Transport, wait));
                }

                // No busy loop: while nothing gets through, at most two retries in a row are immediate, one with a fresh token and one by polling.
                immediate = wait == TimeSpan.Zero && random > 0.01 && !isThrough ? immediate + 1 : 0;
                Assert.InRange(immediate, 0, 2);
            }
        }, iter: 5_000);
    }

    [Fact]
    public void Only_three_refused_tokens_in_a_row_throw_to_the_caller()
    {
        var plan = new ReconnectPlan(ClientScene.Options(new("http://localhost")), () => 0.5);
        var refused = new FeedFailure(FeedFailureKind.TokenRefused, new StatusUpdatesException("no"));
        foreach (var kind in Enum.GetValues<FeedFailureKind>().Except([FeedFailureKind.TokenRefused]))
        {
            plan.After(refused);
            plan.After(refused);
            plan.After(new(kind, new IOException()));
        }

        // The exception also resets the count.
        for (var row = 0; row < 3; row++)
        {
            plan.After(refused);
            plan.After(refused);
            Assert.Throws<StatusUpdatesException>(() => plan.After(refused));
        }
    }

    [Fact]
    public void Fallbacks_that_never_got_an_answer_do_not_delay_the_next_websocket_attempt()
    {
        var time = new ManualTime();
        var options = ClientScene.Options(new("http://localhost")) with { TimeProvider = time };
        var plan = new ReconnectPlan(options, () => 0.999);
        var refused = new FeedFailure(FeedFailureKind.UpgradeRefused, new StatusUpdatesException("502"));
        FeedFailureKind[] kinds = [FeedFailureKind.Unavailable, FeedFailureKind.Unreachable, FeedFailureKind.NotEstablished];
        for (var i = 0; i < 12; i++)
        {
            plan.After(refused);
            Assert.Equal(StatusTransport.LongPolling, plan.Transport);
            plan.After(new(kinds[i % kinds.Length], new IOException()));
            Assert.Equal(StatusTransport.WebSocket, plan.Transport);
        }

        plan.After(refused);
        plan.OnConnected();
        plan.After(new(FeedFailureKind.Unavailable, new IOException()));
        Assert.Equal((StatusTransport.LongPolling, false), (plan.Transport, plan.IsSocketDue));
        time.Advance(options.WebSocketRetryInterval);
        Assert.True(plan.IsSocketDue);
    }

    [Fact]
    public void Failures_are_reset_by_a_stable_connection_and_not_before()
    {
        var time = new ManualTime();
        var options = ClientScene.Options(new("http://localhost")) with
        {
            TimeProvider = time,
            ReconnectDelay = TimeSpan.FromSeconds(1),
            ReconnectMaxDelay = TimeSpan.FromSeconds(60),
        };
        var plan = new ReconnectPlan(options, () => 0.5);
        var lost = new FeedFailure(FeedFailureKind.Lost, new IOException());
        var waits = new List<double>();
        foreach (var seconds in new[] { 0, 9, 9, 9, 10, 0, 11 })
        {
            plan.OnConnected();
            time.Advance(TimeSpan.FromSeconds(seconds));
            waits.Add(plan.After(lost).TotalSeconds);
        }

        Assert.Equal([0.5, 1, 2, 4, 0.5, 1, 0.5], waits);
    }

    [Fact]
    public void A_websocket_cut_right_after_opening_three_times_in_a_row_is_replaced_by_polling()
    {
        var time = new ManualTime();
        var options = ClientScene.Options(new("http://localhost")) with { TimeProvider = time };
        var plan = new ReconnectPlan(options, () => 0.999);
        StatusTransport After(int seconds, FeedFailureKind kind = FeedFailureKind.CutOff)
        {
            plan.OnConnected();
            time.Advance(TimeSpan.FromSeconds(seconds));
            plan.After(new(kind, new IOException()));
            return plan.Transport;
        }

        // A connection that lasted or delivered something resets the count; one that was never established leaves it unchanged.
        Assert.All(
            [After(0), After(9), After(10), After(0), After(0), After(0, FeedFailureKind.Lost), After(0)],
            transport => Assert.Equal(StatusTransport.WebSocket, transport));
        plan.After(new(FeedFailureKind.Unreachable, new IOException()));
        Assert.Equal([StatusTransport.WebSocket, StatusTransport.LongPolling], [After(0), After(0)]);

        // When tried again later, one cut is enough, and the wait before the next try doubles.
        plan.OnConnected();
        time.Advance(options.WebSocketRetryInterval);
        Assert.True(plan.IsSocketDue);
        plan.TrySocket();
        Assert.Equal(StatusTransport.LongPolling, After(0));
        plan.OnConnected();
        time.Advance(options.WebSocketRetryInterval);
        Assert.False(plan.IsSocketDue);
        time.Advance(options.WebSocketRetryInterval);
        Assert.True(plan.IsSocketDue);
        plan.TrySocket();
        Assert.Equal(
            [StatusTransport.WebSocket, StatusTransport.WebSocket, StatusTransport.WebSocket], [After(0, FeedFailureKind.Lost), After(0), After(0)]);
    }

    [Theory]
    [InlineData("2", 2)]
    [InlineData("0", 0)]
    [InlineData("Wed, 21 Oct 2015 07:28:00 GMT", 0)]
    public void Retry_after_is_seconds_or_a_date_and_never_negative(string header, int seconds)
    {
        using var response = new HttpResponseMessage();
        response.Headers.TryAddWithoutValidation("Retry-After", header);
        Assert.Equal(TimeSpan.FromSeconds(seconds), ProblemReader.RetryAfterOf(response.Headers.RetryAfter, TimeProvider.System));

        var time = new ManualTime();
        using var dated = new HttpResponseMessage();
        dated.Headers.RetryAfter = new(time.GetUtcNow().AddSeconds(90));
        Assert.Equal(TimeSpan.FromSeconds(90), ProblemReader.RetryAfterOf(dated.Headers.RetryAfter, time));
    }

    [Fact]
    public void An_option_out_of_range_is_named_in_the_exception()
    {
        var good = ClientScene.Options(new("https://api.test/"));
        (string Name, StatusUpdatesClientOptions Options)[] cases =
        [
            ("BaseAddress", good with { BaseAddress = new("/relative", UriKind.Relative) }),
            ("BaseAddress", good with { BaseAddress = new("ftp://api.test") }),
            ("BaseAddress", good with { BaseAddress = new("https://api.test/?token=x") }),
            ("AccessTokenProvider", good with { AccessTokenProvider = null! }),
            ("TimeProvider", good with { TimeProvider = null! }),
            ("LoggerFactory", good with { LoggerFactory = null! }),
            ("RequestTimeout", good with { RequestTimeout = TimeSpan.Zero }),
            ("ConnectTimeout", good with { ConnectTimeout = Timeout.InfiniteTimeSpan }),
            ("KeepAliveInterval", good with { KeepAliveInterval = TimeSpan.Zero }),
            ("KeepAliveTimeout", good with { KeepAliveTimeout = TimeSpan.FromDays(2) }),
            ("ReconnectDelay", good with { ReconnectDelay = TimeSpan.Zero }),
            ("ReconnectMaxDelay", good with { ReconnectMaxDelay = good.ReconnectDelay / 2 }),
            ("StableAfter", good with { StableAfter = TimeSpan.FromSeconds(-1) }),
            ("WebSocketRetryInterval", good with { WebSocketRetryInterval = TimeSpan.Zero }),
            ("LongPollTimeout", good with { LongPollTimeout = TimeSpan.FromSeconds(61) }),
        ];
        foreach (var (name, options) in cases)
        {
            Assert.Equal(name, Assert.ThrowsAny<ArgumentException>(() => new StatusUpdatesClient(options)).ParamName);
        }

        using var client = new StatusUpdatesClient(good);
        Assert.Equal("Since", Assert.Throws<ArgumentOutOfRangeException>(() => client.Watch(new() { Since = -1 })).ParamName);
        Assert.Equal("GenerationId", Assert.Throws<ArgumentException>(() => client.Watch(new() { GenerationId = "" })).ParamName);
    }
}
