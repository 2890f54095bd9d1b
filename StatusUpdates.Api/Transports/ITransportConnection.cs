namespace StatusUpdates.Api.Transports;

/// <summary>A long-lived connection, as the clock and the drain see it. All methods are quick and may be called by any thread.</summary>
internal interface ITransportConnection
{
    /// <summary>Done when the connection has ended.</summary>
    Task Ended { get; }

    /// <summary>Looks at the time: what is due (expiry, pings, time-outs) is begun.</summary>
    /// <param name="timestamp">Of the <see cref="TimeProvider"/>.</param>
    /// <param name="now">Its wall clock.</param>
    void Tick(long timestamp, DateTimeOffset now);

    /// <summary>Begins to close, telling the client to come back with its cursor.</summary>
    void Drain();

    /// <summary>Ends at once; one that has ended is left alone.</summary>
    void Abort();

    /// <summary>Called when its request is about to be over; from then on it is not aborted any more.</summary>
    void Release();
}
