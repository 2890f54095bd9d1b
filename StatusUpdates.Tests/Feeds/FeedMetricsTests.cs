using System.Collections.Concurrent;
using System.Diagnostics;
using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Tests.Feeds;

public sealed class FeedMetricsTests
{
    [Fact]
    public async Task The_delivery_of_an_update_is_traced_once_for_any_number_of_connections()
    {
        var trace = ActivityTraceId.CreateRandom();
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == FeedMetrics.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> options) =>
                options.Parent.TraceId == trace ? ActivitySamplingResult.AllData : ActivitySamplingResult.None,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var feeds = new Feeds();
        Frame[] frames =
        [
            Frame.Of(Feeds.Update("u", 1) with { TraceParent = $"00-{trace}-b7ad6b7169203331-01" }),
            Frame.Of(Feeds.Update("u", 2) with { TraceParent = $"00-{trace}-00f067aa0ba902b7-01" }),
            Frame.Of(Feeds.Update("u", 3)),
        ];
        var now = feeds.Time.GetUtcNow();

        Parallel.For(0, 100, _ => feeds.Context.Metrics.Delivered(frames, live: true, "websocket", now, now));

        Assert.Equal(
            ["00f067aa0ba902b7", "b7ad6b7169203331"],
            spans.Where(span => span.TraceId == trace).Select(span => span.ParentSpanId.ToHexString()).Order(StringComparer.Ordinal));
    }
}
