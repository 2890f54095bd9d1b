using System.Net;
using CsCheck;
using StatusUpdates.Client;

namespace StatusUpdates.Tests.Client;

public sealed class ReconnectPlanTests
{
    private static readonly Gen<TimeSpan> Span = Gen.Long[1, TimeSpan.FromDays(1).Ticks].Select(TimeSpan.FromTicks);

    [Fact]
    public void The_wait_lies_between_zero_and_a_ceiling_that_doubles_up_to_the_cap() =>
        Gen.Select(Span, Span, Gen.Int[0, int.MaxValue - 1], Gen.Double[0, 0.999_999]).Sample((one, two, attempt, sample) =>
        {
            var backoff = new Backoff(one < two ? one : two, one < two ? two : one);
            var ceiling = backoff.CeilingOf(attempt);
            Assert.Equal(backoff.Initial, backoff.CeilingOf(0));
            Assert.InRange(ceiling, backoff.Initial, backoff.Cap);
            Assert.Equal(ceiling * 2 < backoff.Cap ? ceiling * 2 : backoff.Cap, backoff.CeilingOf(attempt + 1));
            Assert.InRange(backoff.DelayOf(attempt, sample), TimeSpan.Zero, ceiling);
            Assert.Equal(TimeSpan.Zero, backoff.DelayOf(attempt, 0));
            Assert.Equal(backoff.Cap, backoff.CeilingOf(62));
        }, iter: 5_000);

    [Fact]
    public void The_wait_is_drawn_evenly()
    {
        var backoff = new Backoff(TimeSpan.FromSeconds(8), TimeSpan.FromSeconds(8));
        Gen.Double[0, 1].Sample(sample =>
        {
            var wait = backoff.DelayOf(3, sample);
            Assert.Equal(sample * 8, wait.TotalSeconds, tolerance: 0.000_001);
        });
    }

    /// <summary>Any failures, any connections between them, any clock: what the plan must never do.</summary>
    [Fact]
    public void Whatever_happens_the_plan_keeps_its_bounds()
    {
        var step = Gen.Select(Gen.Enum<FeedFailureKind>(), Gen.Bool, Gen.Int[0, 40], Gen.OneOf(Gen.Int[-1, 700], Gen.Int[0, int.MaxValue]), Gen.Double[0, 0.999]);
        step.Array[1, 60].Sample(steps =>
        {
            var time = new HeldTime();
            var options = ClientScene.Options(new("http://localhost")) with
            {
                TimeProvider = time,
                ReconnectDelay = TimeSpan.FromSeconds(1),
                ReconnectMaxDelay = TimeSpan.FromSeconds(30),
            };
            var sample = 0.0;
            var plan = new ReconnectPlan(options, () => sample);
            var refusals = 0;
            var zeroes = 0;
            foreach (var (kind, isThrough, seconds, retryAfter, random) in steps)
            {
                sample = random;
                var transport = plan.Transport;
                if (isThrough)
                {
                    plan.GotThrough();
                    refusals = 0;
                    time.Advance(TimeSpan.FromSeconds(seconds));
                }

                TimeSpan? told = kind == FeedFailureKind.Limited && retryAfter >= 0 ? TimeSpan.FromSeconds(retryAfter) : null;
                var failure = new FeedFailure(kind, new StatusUpdatesException("x") { StatusCode = HttpStatusCode.Unauthorized }, told);
                refusals = kind == FeedFailureKind.TokenRefused ? refusals + 1 : 0;
                if (refusals == Refusals.Final)
                {
                    Assert.Throws<StatusUpdatesException>(() => plan.After(failure));
                    return;
                }

                var wait = plan.After(failure);
                var least = told is null ? TimeSpan.Zero : told < TimeSpan.FromMinutes(10) ? told.Value : TimeSpan.FromMinutes(10);
                Assert.InRange(wait, least, least + options.ReconnectMaxDelay);
                if (refusals > 1)
                {
                    // The server is given time to learn of the token's key.
                    Assert.InRange(wait, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4));
                }

                if (kind is FeedFailureKind.Lost or FeedFailureKind.Unreachable && transport == StatusTransport.WebSocket)
                {
                    // What says nothing about WebSockets changes nothing about them.
                    Assert.Equal(StatusTransport.WebSocket, plan.Transport);
                }

                if (kind == FeedFailureKind.UpgradeRefused && transport == StatusTransport.WebSocket)
                {
                    Assert.Equal((StatusTransport.LongPolling, TimeSpan.Zero), (plan.Transport, wait));
                }

                // No loop without a wait: where nothing gets through, no more than these are at once in a row: a fresh token, then polling.
                zeroes = wait == TimeSpan.Zero && random > 0.01 && !isThrough ? zeroes + 1 : 0;
                Assert.InRange(zeroes, 0, 2);
            }
        }, iter: 5_000);
    }

    [Fact]
    public void Only_three_refused_tokens_in_a_row_are_the_callers_to_know()
    {
        var plan = new ReconnectPlan(ClientScene.Options(new("http://localhost")), () => 0.5);
        var refused = new FeedFailure(FeedFailureKind.TokenRefused, new StatusUpdatesException("no"));
        foreach (var kind in Enum.GetValues<FeedFailureKind>().Except([FeedFailureKind.TokenRefused]))
        {
            plan.After(refused);
            plan.After(refused);
            plan.After(new(kind, new IOException()));
        }

        // And a row ends with the word of it.
        for (var row = 0; row < 3; row++)
        {
            plan.After(refused);
            plan.After(refused);
            Assert.Throws<StatusUpdatesException>(() => plan.After(refused));
        }
    }

    [Fact]
    public void Fallbacks_that_were_never_answered_do_not_put_off_the_next_try_of_a_websocket()
    {
        var time = new HeldTime();
        var options = ClientScene.Options(new("http://localhost")) with { TimeProvider = time };
        var plan = new ReconnectPlan(options, () => 0.999);
        var refused = new FeedFailure(FeedFailureKind.UpgradeRefused, new StatusUpdatesException("502"));
        FeedFailureKind[] kinds = [FeedFailureKind.Limited, FeedFailureKind.Unreachable, FeedFailureKind.NotThrough];
        for (var i = 0; i < 12; i++)
        {
            plan.After(refused);
            Assert.Equal(StatusTransport.LongPolling, plan.Transport);
            plan.After(new(kinds[i % kinds.Length], new IOException()));
            Assert.Equal(StatusTransport.WebSocket, plan.Transport);
        }

        plan.After(refused);
        plan.GotThrough();
        plan.After(new(FeedFailureKind.Limited, new IOException()));
        Assert.Equal((StatusTransport.LongPolling, false), (plan.Transport, plan.IsSocketDue));
        time.Advance(options.WebSocketRetryInterval);
        Assert.True(plan.IsSocketDue);
    }

    [Fact]
    public void Failures_are_forgotten_after_a_stable_connection_and_not_before()
    {
        var time = new HeldTime();
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
            plan.GotThrough();
            time.Advance(TimeSpan.FromSeconds(seconds));
            waits.Add(plan.After(lost).TotalSeconds);
        }

        Assert.Equal([0.5, 1, 2, 4, 0.5, 1, 0.5], waits);
    }

    [Fact]
    public void A_websocket_that_is_cut_three_times_in_a_row_as_soon_as_it_has_opened_is_left_for_polling()
    {
        var time = new HeldTime();
        var options = ClientScene.Options(new("http://localhost")) with { TimeProvider = time };
        var plan = new ReconnectPlan(options, () => 0.999);
        StatusTransport After(int seconds, FeedFailureKind kind = FeedFailureKind.CutOff)
        {
            plan.GotThrough();
            time.Advance(TimeSpan.FromSeconds(seconds));
            plan.After(new(kind, new IOException()));
            return plan.Transport;
        }

        // One that lasted or brought something begins the row anew; one that did not come about says nothing.
        Assert.All(
            [After(0), After(9), After(10), After(0), After(0), After(0, FeedFailureKind.Lost), After(0)],
            transport => Assert.Equal(StatusTransport.WebSocket, transport));
        plan.After(new(FeedFailureKind.Unreachable, new IOException()));
        Assert.Equal([StatusTransport.WebSocket, StatusTransport.LongPolling], [After(0), After(0)]);

        // Tried again later: then one is enough, and the next try is twice as far.
        plan.GotThrough();
        time.Advance(options.WebSocketRetryInterval);
        Assert.True(plan.IsSocketDue);
        plan.TrySocket();
        Assert.Equal(StatusTransport.LongPolling, After(0));
        plan.GotThrough();
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

        var time = new HeldTime();
        using var dated = new HttpResponseMessage();
        dated.Headers.RetryAfter = new(time.GetUtcNow().AddSeconds(90));
        Assert.Equal(TimeSpan.FromSeconds(90), ProblemReader.RetryAfterOf(dated.Headers.RetryAfter, time));
    }

    [Fact]
    public void A_setting_out_of_range_is_named_with_its_range()
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
