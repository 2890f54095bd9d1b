using System.Net;
using Npgsql;
using StatusUpdates.Data.Queue;
using StatusUpdates.Worker.Processors;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Tests.Worker;

public sealed class RetryPlanTests
{
    private static readonly RetryPlan Plan = new(new AttemptOptions
    {
        MaxFailures = 100,
        RetryBackOff = TimeSpan.FromSeconds(2),
        MaxRetryBackOff = TimeSpan.FromMinutes(5),
    });

    public static TheoryData<Exception, bool> Failures => new()
    {
        { new ProviderException("p"), false },
        { new TransientProviderException("t"), true },
        { new HttpRequestException("no route"), true },
        { new HttpRequestException("busy", null, HttpStatusCode.TooManyRequests), true },
        { new HttpRequestException("away", null, HttpStatusCode.ServiceUnavailable), true },
        { new HttpRequestException("never", null, HttpStatusCode.NotImplemented), false },
        { new HttpRequestException("bad", null, HttpStatusCode.BadRequest), false },
        { new TimeoutException(), true },
        { new TaskCanceledException(), true },
        { new IOException("reset"), true },
        { new FileNotFoundException("model"), false },
        { new ArgumentOutOfRangeException("size"), false },
        { new FormatException(), false },
        { new NotSupportedException(), false },
        { new NpgsqlException("away"), true },
        { new PostgresException("too long", "ERROR", "ERROR", "22001"), false },
        { new PostgresException("deadlock", "ERROR", "ERROR", "40P01"), true },
        { new AggregateException(new ProviderException("p"), new TimeoutException()), false },
        { new InvalidOperationException("unknown"), true },
    };

    [Theory]
    [MemberData(nameof(Failures), DisableDiscoveryEnumeration = true)]
    public void Temporary_failures_are_transient_and_failures_caused_by_the_request_are_not(Exception failure, bool isTransient) =>
        Assert.Equal(isTransient, TransientFailures.Contains(failure));

    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 4)]
    [InlineData(5, 64)]
    [InlineData(8, 300)]
    [InlineData(98, 300)]
    public void The_delay_doubles_up_to_a_ceiling_and_half_of_it_is_random(int failures, double ceilingSeconds)
    {
        var delays = Enumerable.Range(0, 200).Select(_ => Plan.DelayAfter(failures, null, null)!.Value.TotalSeconds).ToList();

        Assert.All(delays, delay => Assert.InRange(delay, ceilingSeconds / 2, ceilingSeconds));
        Assert.True(delays.Max() - delays.Min() > ceilingSeconds / 4);
    }

    [Fact]
    public void After_the_last_failure_there_is_no_delay() => Assert.Null(Plan.DelayAfter(99, null, null));

    [Theory]
    [InlineData(-5, 0, 2)]
    [InlineData(60, 60, 62)]
    [InlineData(1_000_000, 86_400, 86_402)]
    public void A_provider_that_asks_for_a_pause_gets_it_within_limits(int seconds, double min, double max)
    {
        Assert.InRange(Plan.DelayAfter(0, TimeSpan.FromSeconds(seconds), null)!.Value.TotalSeconds, min, max);
    }

    [Fact]
    public void No_attempt_is_planned_that_could_begin_only_after_the_deadline()
    {
        Assert.Null(Plan.DelayAfter(0, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(59)));
        Assert.NotNull(Plan.DelayAfter(0, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(63)));
    }
}
