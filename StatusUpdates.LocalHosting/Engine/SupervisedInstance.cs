using StatusUpdates.LocalHosting.Hosting;
using StatusUpdates.LocalHosting.Native;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>
/// Keeps one process of a resource running: starts it when its dependencies are healthy, watches its health, starts it again
/// with back-off when it ends unasked, and gives up on one that was never healthy after <see cref="MostEarlyFailures"/> attempts.
/// Concurrency: start and stop take turns; the loop runs between them.
/// </summary>
internal sealed class SupervisedInstance(
    string id, Resource resource, StateBoard board, TimeProvider time, Action<string, string> log) : IAsyncDisposable
{
    public const int MostEarlyFailures = 5;

    /// <summary>A process that was well for so long has earned a fresh back-off.</summary>
    private static readonly TimeSpan WellAfter = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan EagerProbe = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PatientProbe = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CalmProbe = TimeSpan.FromSeconds(3);

    private readonly SemaphoreSlim _turn = new(1);
    private CancellationTokenSource? _stopping;
    private Task _loop = Task.CompletedTask;
    private volatile RunningProcess? _process;

    public string Id { get; } = id;

    public Resource Resource { get; } = resource;

    /// <summary>Started only when these are healthy.</summary>
    public IReadOnlyList<IResource> WaitsFor { get; init; } = [];

    /// <summary>Starts the process and returns when it runs.</summary>
    public required Func<CancellationToken, Task<RunningProcess>> Launch { get; init; }

    /// <summary>Whether the running process is well; null if running is all that is asked.</summary>
    public Func<CancellationToken, Task<bool>>? Probe { get; init; }

    /// <summary>Where the running process can be reached.</summary>
    public Func<string> Address { get; init; } = () => "";

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_loop.IsCompleted)
            {
                _stopping?.Dispose();
                _stopping = new CancellationTokenSource();
                _loop = SuperviseAsync(_stopping.Token);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Stops the process and leaves it stopped. The token ends the wait for another command's turn, never the stopping itself.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_stopping is { } stopping && !_loop.IsCompleted)
            {
                board.Update(Id, state => state with { State = KnownResourceStates.Stopping, IsHealthy = false });
                await stopping.CancelAsync();
                await _loop;
            }

            board.Update(Id, state => state with { State = KnownResourceStates.Exited, IsHealthy = false, ProcessId = 0 });
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends the process at once and for good; a stop that waits for it returns soon after.</summary>
    public void Kill()
    {
        try
        {
            _stopping?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // Stopped and disposed of between two steps of a shutdown: nothing is left to kill.
        }

        _process?.Kill();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        _stopping?.Dispose();
        _turn.Dispose();
    }

    private async Task SuperviseAsync(CancellationToken stopping)
    {
        var backoff = new Backoff();
        var everHealthy = false;
        try
        {
            board.Update(Id, state => state with { State = KnownResourceStates.Waiting, Problem = "" });
            foreach (var dependency in WaitsFor)
            {
                var instances = await board.UntilAsync(
                    dependency.Name, all => all.All(instance => instance.IsHealthy) || all.Any(instance => instance.State == KnownResourceStates.FailedToStart), stopping);
                if (instances.Any(instance => instance.State == KnownResourceStates.FailedToStart))
                {
                    GiveUp($"It waits for {dependency.Name}, which failed to start.");
                    return;
                }
            }

            while (true)
            {
                var began = time.GetTimestamp();
                var (wasHealthy, problem) = await RunOnceAsync(stopping);
                everHealthy |= wasHealthy;
                if (wasHealthy && time.GetElapsedTime(began) >= WellAfter)
                {
                    backoff.Reset();
                }

                if (!everHealthy && backoff.Failures + 1 >= MostEarlyFailures)
                {
                    GiveUp($"{problem} Given up after {MostEarlyFailures} attempts.");
                    return;
                }

                var pause = backoff.Next();
                board.Update(Id, state => state with { State = KnownResourceStates.Starting, ProcessId = 0, IsHealthy = false, Problem = problem });
                log(Id, $"{problem} Starting again in {pause.TotalSeconds:0.0} s.");
                await Task.Delay(pause, time, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopped; StopAsync says so on the board.
        }
        catch (Exception error)
        {
            // Nobody awaits this loop until it is stopped, so it must say itself what broke it.
            GiveUp(error.ToString());
        }
    }

    private void GiveUp(string problem)
    {
        board.Update(Id, state => state with { State = KnownResourceStates.FailedToStart, ProcessId = 0, IsHealthy = false, Problem = problem });
        log(Id, problem);
    }

    /// <summary>One life of the process: from its launch to its end.</summary>
    /// <returns>Whether it was ever healthy, and why it ended.</returns>
    private async Task<(bool WasHealthy, string Problem)> RunOnceAsync(CancellationToken stopping)
    {
        board.Update(Id, state => state with { State = KnownResourceStates.Starting, IsHealthy = false });
        RunningProcess process;
        try
        {
            process = await Launch(stopping);
        }
        catch (Exception error) when (error is ChildProcessException or DistributedApplicationException or IOException or InvalidOperationException or PostgresNotFoundException)
        {
            return (false, error.Message);
        }

        _process = process;
        try
        {
            var isWell = Probe is null;
            board.Update(Id, state => state with { State = KnownResourceStates.Running, ProcessId = process.ProcessId, IsHealthy = isWell, Address = Address(), Problem = "" });
            var wasHealthy = isWell;
            var began = time.GetTimestamp();
            while (!process.Exited.IsCompleted)
            {
                if (Probe is not null)
                {
                    isWell = await Probe(stopping) && !process.Exited.IsCompleted;
                    wasHealthy |= isWell;
                    board.Update(Id, state => state with { IsHealthy = isWell });
                }

                // Probing often matters only while others wait for the start.
                var pause = isWell ? CalmProbe : time.GetElapsedTime(began) < WellAfter ? EagerProbe : PatientProbe;
                await Task.WhenAny(process.Exited, Task.Delay(pause, time, stopping));
                stopping.ThrowIfCancellationRequested();
            }

            return (wasHealthy, await process.Exited);
        }
        finally
        {
            // Cancelled: this ends it. Ended by itself: this only reaps what is left.
            await process.StopAsync();
            _process = null;
        }
    }
}
