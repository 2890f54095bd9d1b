using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http.Features;
using StatusUpdates.Data.Queue;

namespace StatusUpdates.Api.Workers;

/// <summary>
/// Metrics of the workers that connect to this instance, under <see cref="Name"/>. What our own worker measures too has the same instruments here, so
/// that a sum is a sum over all workers. Ids are never attributes. Thread-safe.
/// </summary>
internal sealed class WorkerMetrics
{
    public const string Name = "StatusUpdates.Api.Workers";

    private const string Task = "statusupdates.task";
    private const string Outcome = "statusupdates.outcome";

    private readonly WorkerProtocolOptions _options;
    private readonly Counter<long> _claims;
    private readonly Counter<long> _lost;
    private readonly Counter<long> _handBacks;
    private readonly Histogram<double> _duration;
    private readonly UpDownCounter<long> _waiting;
    private int _count;

    public WorkerMetrics(IMeterFactory meters, WorkerProtocolOptions options)
    {
        _options = options;
        var meter = meters.Create(Name);
        _claims = meter.CreateCounter<long>("statusupdates.worker.claims", "{generation}", "Generations that workers claimed over this API.");
        _lost = meter.CreateCounter<long>("statusupdates.worker.leases.lost", "{lease}", "Attempts that workers were told they had lost.");
        _handBacks = meter.CreateCounter<long>(
            "statusupdates.worker.handbacks", "{generation}", "Generations that went back to the queue without counting as a failure.");
        _duration = meter.CreateHistogram<double>(
            "statusupdates.worker.job.duration", "s", "Time from claim to outcome of one attempt.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900] });
        _waiting = meter.CreateUpDownCounter<long>("statusupdates.worker.requests.waiting", "{request}", "Claims and heartbeats that wait.");
    }

    public void Claimed(IReadOnlyList<ClaimedGeneration> claimed)
    {
        foreach (var (task, count) in claimed.CountBy(generation => generation.Task))
        {
            _claims.Add(count, Tag(task));
        }
    }

    public void Lost(int count) => Add(_lost, count);

    public void HandedBack(int count) => Add(_handBacks, count);

    /// <summary>An attempt has ended, as <paramref name="outcome"/>.</summary>
    public void Ended(AttemptState attempt, string outcome) =>
        _duration.Record(attempt.RunningFor.TotalSeconds, Tag(attempt.Task), new(Outcome, outcome));

    /// <summary>Counts a request that may wait, until it is disposed of. Null if too many wait already.</summary>
    public IDisposable? TryWait(HttpContext http)
    {
        // It lasts as long as its client likes, and would dominate http.server.request.duration.
        http.Features.Get<IHttpMetricsTagsFeature>()?.MetricsDisabled = true;
        if (Interlocked.Increment(ref _count) <= _options.MaxWaiting)
        {
            _waiting.Add(1);
            return new Waiting(this);
        }

        Interlocked.Decrement(ref _count);
        return null;
    }

    private static void Add(Counter<long> counter, int count)
    {
        if (count > 0)
        {
            counter.Add(count);
        }
    }

    private static KeyValuePair<string, object?> Tag(string task) => new(Task, task);

    private sealed class Waiting(WorkerMetrics metrics) : IDisposable
    {
        public void Dispose()
        {
            Interlocked.Decrement(ref metrics._count);
            metrics._waiting.Add(-1);
        }
    }
}
