using System.Diagnostics;
using System.Net.Sockets;

namespace StatusUpdates.Benchmarks.Load;

/// <summary>Many clients of one server. The first failure of a client ends the benchmark.</summary>
internal sealed class Followers : IAsyncDisposable
{
    private const int ReceiveBuffer = 64 * 1024;
    private const int MaxConcurrentHandshakes = 32;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(Follower Follower, Socket Socket, Task Running)> _all = [];
    private TaskCompletionSource<long> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _remaining;

    public int Count => _all.Count;

    public bool HasFailed => _failed.Task.IsFaulted;

    public long Updates => _all.Sum(one => one.Follower.Updates);

    public long Bytes => _all.Sum(one => one.Follower.Bytes);

    /// <summary>Opens a client for each entry of <paramref name="users"/>, from the head of its log on.</summary>
    public async Task OpenAsync(
        Uri server,
        IReadOnlyList<LoadUser> users,
        Func<string, string> tokenOf,
        int bufferSize,
        CancellationToken cancellationToken,
        IReadOnlyDictionary<string, ReceiptTimes>? receipts = null) =>
        await Parallel.ForEachAsync(
            users,
            new ParallelOptions { MaxDegreeOfParallelism = MaxConcurrentHandshakes, CancellationToken = cancellationToken },
            async (user, token) =>
            {
                // The floor has no tokens: it takes the user from the query parameter, which the API ignores.
                var socket = await RawWebSocket.ConnectAsync(
                    server, $"/ws/status?since={user.Head}&user={user.Id}", tokenOf(user.Id), ReceiveBuffer, token);
                var follower = new Follower(socket, user, this, bufferSize) { Receipts = receipts?[user.Id] };
                lock (_all)
                {
                    _all.Add((follower, socket, RunAsync(follower)));
                }
            });

    /// <summary>Makes every client expect this many more updates. Call it before they are appended, with no update in flight.</summary>
    public void Expect(int updatesOfEach)
    {
        _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _remaining, _all.Count);
        foreach (var (follower, _, _) in _all)
        {
            follower.Expect(updatesOfEach);
        }
    }

    /// <summary>Waits until all clients have received the expected updates.</summary>
    /// <returns>The timestamp of the last receipt.</returns>
    /// <exception cref="BenchmarkFailedException">A client failed or timed out.</exception>
    public async Task<long> WhenCompleteAsync(CancellationToken cancellationToken)
    {
        try
        {
            await (await Task.WhenAny(_done.Task, _failed.Task).WaitAsync(Timeout, cancellationToken));
            return await _done.Task;
        }
        catch (TimeoutException)
        {
            throw Incomplete();
        }
    }

    /// <summary>Waits until all clients have received everything that was appended for their users.</summary>
    public async Task WhenCaughtUpAsync(CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        while (_all.Any(one => one.Follower.Position < one.Follower.User.Head))
        {
            if (_failed.Task.IsFaulted)
            {
                await _failed.Task;
            }

            if (Stopwatch.GetElapsedTime(started) > Timeout)
            {
                throw Incomplete();
            }

            await Task.Delay(10, cancellationToken);
        }
    }

    public void ThrowIfFailed()
    {
        if (_failed.Task.Exception is { } failure)
        {
            throw new BenchmarkFailedException(failure.InnerException!.Message, failure);
        }
    }

    internal void CountDown()
    {
        if (Interlocked.Decrement(ref _remaining) == 0)
        {
            _done.SetResult(Stopwatch.GetTimestamp());
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var (_, socket, running) in _all)
        {
            socket.Dispose();
            await running;
        }

        _stop.Dispose();
    }

    private async Task RunAsync(Follower follower)
    {
        try
        {
            await follower.RunAsync(_stop.Token);
        }
        catch (Exception e) when (_stop.IsCancellationRequested && e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
        catch (Exception e)
        {
            _failed.TrySetException(e as BenchmarkFailedException ?? new BenchmarkFailedException($"A client of {follower.User.Id} failed: {e.Message}", e));
        }
    }

    private BenchmarkFailedException Incomplete()
    {
        var behind = _all.Select(one => one.Follower).Where(follower => follower.Position < follower.User.Head).ToArray();
        return new(
            $"After {Timeout.TotalSeconds} s, {behind.Length} of {_all.Count} clients have not received everything; " +
            $"one of {behind.FirstOrDefault()?.User.Id} is at {behind.FirstOrDefault()?.Position} of {behind.FirstOrDefault()?.User.Head}.");
    }
}
