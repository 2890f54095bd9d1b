namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>A value that becomes known once, when a server has its address.</summary>
internal sealed class ConnectionAddress<T>(string resourceName)
    where T : class
{
    private readonly TaskCompletionSource<T> _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T? _value;

    /// <exception cref="InvalidOperationException">Not known yet.</exception>
    public T Value => _value ?? throw new InvalidOperationException($"Resource '{resourceName}' has no address before it was started.");

    /// <summary>A server keeps its address over restarts, so only the first call counts.</summary>
    public void Set(T value)
    {
        _value ??= value;
        _known.TrySetResult(_value);
    }

    public Task<T> WhenKnownAsync(CancellationToken cancellationToken) => _known.Task.WaitAsync(cancellationToken);
}
