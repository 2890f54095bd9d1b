namespace StatusUpdates.Api.Transports;

/// <summary>
/// Aborts a request, as long as it runs: afterwards its context is gone, or serves the next request of the same client. Thread-safe.
/// </summary>
internal sealed class RequestAbort(HttpContext http)
{
    private readonly Lock _gate = new();
    private bool _released;

    public void Abort()
    {
        lock (_gate)
        {
            if (!_released)
            {
                http.Abort();
            }
        }
    }

    /// <summary>The request is about to be over.</summary>
    public void Release()
    {
        lock (_gate)
        {
            _released = true;
        }
    }
}
