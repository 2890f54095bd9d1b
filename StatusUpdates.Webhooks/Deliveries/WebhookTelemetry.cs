using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>Metrics and spans of deliveries, under the name <see cref="Name"/>.</summary>
internal static class WebhookTelemetry
{
    /// <summary>The process that delivers: dashboards know the metrics by this name.</summary>
    public const string Name = "StatusUpdates.Worker";

    private static readonly Meter Meter = new(Name);

    private static readonly ActivitySource Source = new(Name);

    private static readonly Histogram<double> Attempts = Meter.CreateHistogram<double>(
        "statusupdates.webhooks.attempt.duration", "s", "Time of one attempt to deliver a message, by its outcome.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15] });

    private static readonly Histogram<double> Lag = Meter.CreateHistogram<double>(
        "statusupdates.webhooks.delivery.lag", "s", "Time from an update's commit to its acknowledged delivery.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600, 86400] });

    private static readonly Counter<long> Failed = Meter.CreateCounter<long>(
        "statusupdates.webhooks.failed", "{delivery}", "Deliveries that were given up after their last attempt.");

    private static readonly Counter<long> Postponements = Meter.CreateCounter<long>(
        "statusupdates.webhooks.postponed", "{time}", "Times that a delivery, or all those of a webhook, were postponed because the limit of its user or address was reached.");

    private static readonly Counter<long> Disabled = Meter.CreateCounter<long>(
        "statusupdates.webhooks.disabled", "{webhook}", "Webhooks that were disabled, by reason.");

    private static readonly Counter<long> Resyncs = Meter.CreateCounter<long>(
        "statusupdates.webhooks.resyncs", "{webhook}", "Webhooks whose next updates were no longer in the log.");

    /// <summary>The span of one attempt, in its update's trace.</summary>
    public static Activity? StartAttempt(string type, Uri url, string? traceParent, int attempt)
    {
        ActivityContext.TryParse(traceParent, null, isRemote: true, out var parent);
        return Source.StartActivity("deliver webhook", ActivityKind.Client, parent)
            ?.SetTag("http.request.method", "POST")
            .SetTag("server.address", url.Host)
            .SetTag("server.port", url.Port)
            .SetTag("http.request.resend_count", attempt - 1)
            .SetTag("statusupdates.webhook.type", type);
    }

    public static void AttemptEnded(Activity? span, AttemptResult result)
    {
        var outcome = result switch
        {
            { IsSuccess: true } => "delivered",
            { StatusCode: >= 500 } => "5xx",
            { StatusCode: >= 400 } => "4xx",
            { StatusCode: >= 300 } => "3xx",
            _ => "no_answer",
        };
        Attempts.Record(result.Duration.TotalSeconds, new KeyValuePair<string, object?>("statusupdates.webhook.outcome", outcome));
        if (result.StatusCode is { } status)
        {
            span?.SetTag("http.response.status_code", status);
        }

        if (!result.IsSuccess)
        {
            span?.SetTag("error.type", outcome).SetStatus(ActivityStatusCode.Error, result.Error);
        }
    }

    public static void Delivered(TimeSpan lag) => Lag.Record(Math.Max(0, lag.TotalSeconds));

    public static void Postponed() => Postponements.Add(1);

    public static void GivenUp() => Failed.Add(1);

    public static void WasDisabled(string reason) =>
        Disabled.Add(1, new KeyValuePair<string, object?>("statusupdates.webhook.reason", reason));

    public static void Resynced() => Resyncs.Add(1);
}
