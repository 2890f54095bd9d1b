using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Load;

/// <summary>Delivers committed updates to the server under measurement. Thread-safe.</summary>
internal interface IDelivery : IAsyncDisposable
{
    Task PublishAsync(IReadOnlyList<StatusUpdate> updates, CancellationToken cancellationToken);
}
