using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.Messaging;

/// <summary>Passes updates to an asynchronous handler one at a time, from a bounded queue that drops its oldest update when full.</summary>
internal sealed partial class StatusUpdatePump : IAsyncDisposable
{
    private readonly StatusUpdateHandler _handler;
    private readonly ILogger _logger;
    private readonly Channel<StatusUpdate> _waiting;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _pump;

    public StatusUpdatePump(StatusUpdateHandler handler, int capacity, ILogger logger)
    {
        _handler = handler;
        _logger = logger;
        _waiting = Channel.CreateBounded<StatusUpdate>(
            new BoundedChannelOptions(capacity) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true },
            static _ => MessagingTelemetry.Dropped.Add(1));

        // Without the caller's context, like every handler.
        using (ExecutionContext.SuppressFlow())
        {
            _pump = Task.Run(PumpAsync);
        }
    }

    /// <summary>Never blocks.</summary>
    public void Accept(StatusUpdate update) => _waiting.Writer.TryWrite(update);

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await _stop.CancelAsync().ConfigureAwait(false);
        await _pump.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task PumpAsync()
    {
        try
        {
            await foreach (var update in _waiting.Reader.ReadAllAsync(_stop.Token).ConfigureAwait(false))
            {
                await HandleAsync(update).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed. Waiting updates are dropped: delivery is at most once.
        }
    }

    private async ValueTask HandleAsync(StatusUpdate update)
    {
        try
        {
            await _handler(update, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException || !_stop.IsCancellationRequested)
        {
            MessagingTelemetry.HandlerFailures.Add(1);
            LogHandlerFailed(e);
        }
    }

    [LoggerMessage(1104, LogLevel.Error, "An asynchronous handler of status updates failed")]
    private partial void LogHandlerFailed(Exception exception);
}
