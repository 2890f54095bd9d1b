namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// A private server: loopback only, in a process of its own, which is stopped when this process ends. Not thread-safe: one caller starts, stops and
/// kills it; any thread may read the properties.
/// </summary>
public abstract class NativeServer : IAsyncDisposable
{
    private const int MaxStarts = 5;
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(10);

    private readonly string _name;
    private readonly ServerDirectory _folder;
    private readonly TimeSpan _startTimeout;
    private readonly TimeSpan _stopTimeout;
    private GuardedProcess? _process;

    private protected NativeServer(string name, ServerDirectory folder, TimeSpan startTimeout, TimeSpan stopTimeout)
    {
        _name = name;
        _folder = folder;
        _startTimeout = startTimeout;
        _stopTimeout = stopTimeout;
    }

    /// <summary>The TCP port on 127.0.0.1. It does not change on restarts.</summary>
    public int Port { get; private set; }

    /// <summary>The server's process id; 0 while it is stopped.</summary>
    public int ProcessId => _process?.Child.Pid ?? 0;

    /// <summary>The signal that stops a server when it is disposed.</summary>
    private protected abstract int DisposeSignal { get; }

    /// <summary>Kills it with all its processes (SIGKILL), like a power failure. A restart starts it again.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            await process.KillAsync();
            _process = null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(DisposeSignal, CancellationToken.None);
        _folder.DeleteIfTemporary();
        GC.SuppressFinalize(this);
    }

    /// <summary>Prepares the folder for the first start.</summary>
    private protected abstract Task PrepareAsync(CancellationToken cancellationToken);

    private protected abstract Task<GuardSpec> SpecAsync(int port, CancellationToken cancellationToken);

    /// <summary>Whether the server of this process id can be used.</summary>
    private protected abstract ValueTask<bool> IsReadyAsync(int processId, CancellationToken cancellationToken);

    /// <summary>Starts it for the first time and returns when it is ready.</summary>
    private protected async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await PrepareAsync(cancellationToken);

            // A port that was free when it was chosen may be taken by now. Only then is a failed start retried.
            for (var start = 1; _process is null; start++)
            {
                Port = LoopbackPort.FindFree();
                try
                {
                    await StartProcessAsync(cancellationToken);
                }
                catch (ChildProcessException) when (start < MaxStarts && !LoopbackPort.IsFree(Port))
                {
                    // Retry with another port.
                }
            }
        }
        catch
        {
            // No process is left: each step above stops its own when it fails.
            _folder.DeleteIfTemporary();
            throw;
        }
    }

    private protected async Task StopAsync(int signal, CancellationToken cancellationToken)
    {
        if (_process is { } process)
        {
            await process.StopAsync(signal, _stopTimeout, cancellationToken);
            _process = null;
        }
    }

    private protected async Task RestartAsync(int signal, CancellationToken cancellationToken)
    {
        await StopAsync(signal, cancellationToken);
        await StartProcessAsync(cancellationToken);
    }

    private async Task StartProcessAsync(CancellationToken cancellationToken)
    {
        var process = await GuardedProcess.StartAsync(await SpecAsync(Port, cancellationToken), cancellationToken);
        try
        {
            await WaitUntilReadyAsync(process, cancellationToken);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }

        _process = process;
    }

    private async Task WaitUntilReadyAsync(GuardedProcess process, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(_startTimeout);
        try
        {
            while (true)
            {
                var isReady = await IsReadyAsync(process.Child.Pid, timeout.Token);
                if (process.Exited.IsCompleted)
                {
                    // If something was ready nevertheless, it was another server on the same port.
                    throw ChildProcessException.Ended(_name, await process.Exited, process.LastLines);
                }

                if (isReady)
                {
                    return;
                }

                await Task.Delay(PollInterval, timeout.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw ChildProcessException.NotReady(_name, _startTimeout, process.LastLines);
        }
    }
}
