namespace StatusUpdates.Client;

/// <summary>How a feed reaches the API.</summary>
public enum StatusTransport
{
    /// <summary><c>/ws/status</c>: tried first.</summary>
    WebSocket,

    /// <summary><c>/api/v1/status/poll</c>, where WebSockets do not get through. WebSocket is tried again from time to time.</summary>
    LongPolling,
}
