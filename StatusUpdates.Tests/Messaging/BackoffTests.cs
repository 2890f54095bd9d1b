using CsCheck;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Messaging;

public sealed class BackoffTests
{
    private static readonly TimeSpan EightSeconds = TimeSpan.FromSeconds(8);
    private static readonly Gen<TimeSpan> Span = Gen.Long[1, TimeSpan.FromDays(1).Ticks].Select(TimeSpan.FromTicks);

    [Fact]
    public void The_pause_doubles_with_each_failure_up_to_the_cap() =>
        Gen.Select(Span, Span, Gen.Int[1, int.MaxValue - 1]).Sample((one, two, failures) =>
        {
            var backoff = new Backoff(one < two ? one : two, one < two ? two : one, Jitter: 0);
            var pause = backoff.After(failures);
            Assert.Equal(backoff.Initial, backoff.After(1));
            Assert.InRange(pause, backoff.Initial, backoff.Cap);
            Assert.Equal(pause * 2 < backoff.Cap ? pause * 2 : backoff.Cap, backoff.After(failures + 1));
            Assert.Equal(backoff.Cap, backoff.After(63));
        }, iter: 5_000);

    [Fact]
    public void A_cap_below_the_first_pause_wins() =>
        Assert.Equal(TimeSpan.FromSeconds(1), new Backoff(EightSeconds, TimeSpan.FromSeconds(1), Jitter: 0).After(1));

    [Fact]
    public void The_random_share_of_a_pause_is_drawn_evenly() =>
        Gen.Select(Gen.Double[0, 1], Gen.Double[0, 1], Gen.Int[1, 100]).Sample((jitter, sample, failures) =>
        {
            var pause = new Backoff(EightSeconds, EightSeconds, jitter).After(failures, sample);
            Assert.Equal(8 * (1 - jitter) + (8 * jitter * sample), pause.TotalSeconds, tolerance: 0.000_001);
        });

    [Fact]
    public void A_pause_that_is_random_as_a_whole_is_anything_from_zero_to_its_ceiling()
    {
        var backoff = new Backoff(EightSeconds, EightSeconds, Jitter: 1);

        Assert.Equal(TimeSpan.Zero, backoff.After(1, 0));
        Assert.Equal(EightSeconds / 2, backoff.After(1, 0.5));
        Assert.InRange(backoff.After(1, 0.999_999), EightSeconds * 0.99, EightSeconds);
    }

    [Fact]
    public void By_default_and_without_growth_half_of_a_pause_is_random()
    {
        foreach (var next in new Func<TimeSpan>[] { () => new Backoff(EightSeconds, EightSeconds).After(1), () => Backoff.Spread(EightSeconds) })
        {
            var pauses = Enumerable.Range(0, 200).Select(_ => next()).ToList();

            Assert.All(pauses, pause => Assert.InRange(pause, EightSeconds / 2, EightSeconds));
            Assert.True(pauses.Max() - pauses.Min() > EightSeconds / 4);
        }
    }
}
