namespace StatusUpdates.Api.Transports;

/// <summary>A long-lived connection of any transport. All methods are quick and may be called by any thread, except for <see cref="RunAsync"/>.</summary>
/// <param name="http">Its request.</param>
/// <param name="transport">The transport's name in metrics and logs.</param>
internal abstract class TransportConnection(HttpContext http, string transport)
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Transport => transport;

    /// <summary>Completes when the connection has ended.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Serves the connection to its end. Called by <see cref="ConnectionLifecycle"/> only.</summary>
    public async Task RunAsync()
    {
        try
        {
            await ServeAsync();
        }
        finally
        {
            lock (_gate)
            {
                _ended.SetResult();
            }
        }
    }

    /// <summary>Checks the time and starts what is due: expiry, pings, time-outs.</summary>
    /// <param name="timestamp">The timestamp of the <see cref="TimeProvider"/>.</param>
    /// <param name="now">The current time.</param>
    public abstract void Tick(long timestamp, DateTimeOffset now);

    /// <summary>Begins to close, so that the client reconnects with its cursor.</summary>
    public abstract void Drain();

    /// <summary>Ends at once.</summary>
    public void Abort()
    {
        // Only while it runs: afterwards the request's context is gone, or serves the same client's next request.
        lock (_gate)
        {
            if (!Ended.IsCompleted)
            {
                http.Abort();
            }
        }
    }

    /// <summary>Sends, and receives if the transport does, until the connection ends.</summary>
    protected abstract Task ServeAsync();
}
