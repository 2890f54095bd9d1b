using System.Diagnostics.Metrics;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Benchmarks.Append;

/// <summary>Listens to the log's metric of updates per transaction.</summary>
internal sealed class CommitCounter : IDisposable
{
    private const string BatchSize = "statusupdates.log.batch.size";

    private readonly MeterListener _listener = new();
    private long _commits;
    private long _updates;

    public CommitCounter()
    {
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == DataTelemetry.Name && instrument.Name == BatchSize)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>((_, size, _, _) =>
        {
            Interlocked.Increment(ref _commits);
            Interlocked.Add(ref _updates, size);
        });
        _listener.Start();
    }

    public double PerCommit => _commits == 0 ? 0 : (double)_updates / _commits;

    public void Dispose() => _listener.Dispose();
}
