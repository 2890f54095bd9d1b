using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.Load;

/// <summary>How committed updates get to the server under measurement. Thread-safe.</summary>
internal interface IDelivery : IAsyncDisposable
{
    Task PublishAsync(IReadOnlyList<StatusUpdate> updates, CancellationToken cancellationToken);
}
