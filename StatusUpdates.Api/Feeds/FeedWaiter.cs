using System.Threading.Tasks.Sources;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// A reader's place in the <see cref="WaitList"/> of its feed, and its signal. Waiting allocates nothing.
/// Concurrency: one reader; <see cref="Signal"/> may be called by any thread.
/// </summary>
internal sealed class FeedWaiter : IValueTaskSource, IThreadPoolWorkItem
{
    private readonly WaitList _list;
    private ManualResetValueTaskSourceCore<bool> _wait;
    private bool _signaled;

    public FeedWaiter(WaitList list)
    {
        _list = list;
        Node = new(this);
    }

    /// <summary>Its node in the list. For the list.</summary>
    public LinkedListNode<FeedWaiter> Node { get; }

    /// <summary>Whether it has a signal that the reader has not taken yet.</summary>
    public bool IsSignaled
    {
        get => Volatile.Read(ref _signaled);
        set => Volatile.Write(ref _signaled, value);
    }

    /// <summary>Waits for a change after those that the reader has seen, or for a signal.</summary>
    public ValueTask WaitAsync(long? changes) => _list.TryAdd(this, changes) ? new ValueTask(this, _wait.Version) : ValueTask.CompletedTask;

    /// <summary>Waits until the log could be read again, or for a change from now on, or for a signal.</summary>
    public ValueTask WaitForLogAsync() => WaitAsync(null);

    /// <summary>Ends the current wait, or the next one.</summary>
    public void Signal() => _list.Signal(this);

    /// <summary>Takes the signal, if there is one.</summary>
    public bool TakeSignal() => Interlocked.Exchange(ref _signaled, false);

    /// <summary>Prepares the next wait. For the list.</summary>
    public void Prepare() => _wait.Reset();

    /// <summary>
    /// Resumes the reader on another thread: the thread that brings updates to feeds must not run connections' sends. For the list.
    /// </summary>
    public void Wake() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

    void IThreadPoolWorkItem.Execute() => _wait.SetResult(true);

    void IValueTaskSource.GetResult(short token) => _wait.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _wait.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wait.OnCompleted(continuation, state, token, flags);
}
