using System.Diagnostics;
using System.Text.Json;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// The parent's side of a <see cref="Guard"/>: a child process that is stopped when this process ends, for any reason. Thread-safe.
/// </summary>
internal sealed class GuardedProcess : IAsyncDisposable
{
    private const int MaxLastLines = 40;
    private static readonly TimeSpan OutputDrainTime = TimeSpan.FromSeconds(1);

    private readonly Process _guard;
    private readonly Queue<string> _lastLines = new();
    private readonly TaskCompletionSource<ProcessIdentity?> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _pumps;
    private int _disposed;

    private GuardedProcess(Process guard)
    {
        _guard = guard;
        _pumps = Task.WhenAll(PumpAsync(guard.StandardOutput), PumpAsync(guard.StandardError));
        Exited = WaitForExitAsync();
    }

    /// <summary>The child (not its guard).</summary>
    public ProcessIdentity Child { get; private set; }

    /// <summary>Completes with the exit code once child and guard have exited; 128 plus the signal's number if a signal killed the child.</summary>
    public Task<int> Exited { get; }

    /// <summary>The last lines of output, for error messages.</summary>
    public IReadOnlyList<string> LastLines
    {
        get
        {
            lock (_lastLines)
            {
                return [.. _lastLines];
            }
        }
    }

    /// <summary>Starts a guard and its child, and returns once the child runs. The caller checks whether the child is ready.</summary>
    /// <exception cref="ChildProcessException">The child could not be started, or exited at once.</exception>
    public static async Task<GuardedProcess> StartAsync(GuardSpec spec, CancellationToken cancellationToken)
    {
        var guard = Process.Start(new ProcessStartInfo(DotnetHost.Path, ["exec", DotnetHost.OwnAssembly, Guard.Command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        }) ?? throw new InvalidOperationException("The guard could not be started.");
        var process = new GuardedProcess(guard);
        try
        {
            await guard.StandardInput.WriteLineAsync(JsonSerializer.Serialize(spec, GuardJson.Default.GuardSpec).AsMemory(), cancellationToken);
            await guard.StandardInput.FlushAsync(cancellationToken);
            process.Child = await process._started.Task.WaitAsync(cancellationToken)
                ?? throw ChildProcessException.Ended(spec.FileName, await process.Exited, process.LastLines);
            return process;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a program under a guard until it exits.</summary>
    /// <exception cref="ChildProcessException">Its exit code is not 0.</exception>
    public static async Task RunAsync(GuardSpec spec, CancellationToken cancellationToken)
    {
        await using var process = await StartAsync(spec, cancellationToken);
        var exitCode = await process.Exited.WaitAsync(cancellationToken);
        if (exitCode != 0)
        {
            throw ChildProcessException.Ended(spec.FileName, exitCode, process.LastLines);
        }
    }

    /// <summary>Sends the signal and waits. After the timeout, or when canceled, the guard stops the child with its own stop steps.</summary>
    public async Task StopAsync(int signal, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (!Exited.IsCompleted && Child.IsAlive)
        {
            Posix.Signal(Child.Pid, signal);
            await Task.WhenAny(Exited, Task.Delay(timeout, cancellationToken));
        }

        await DisposeAsync();
    }

    /// <summary>Kills the child and all its descendants (SIGKILL), and waits until all have exited.</summary>
    public async Task KillAsync()
    {
        List<ProcessIdentity> killed = !Exited.IsCompleted && Child.IsAlive ? ProcessTree.Kill(Child.Pid) : [];
        await DisposeAsync();
        foreach (var process in killed)
        {
            await process.WaitForExitAsync(TimeSpan.FromMilliseconds(5), CancellationToken.None);
        }
    }

    /// <summary>Stops the child with the guard's stop steps and waits for both. Not cancelable: nothing may be left running.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            try
            {
                _guard.StandardInput.Close();
            }
            catch (IOException)
            {
                // The guard has already exited and closed its end: the buffered data is no longer needed.
            }
        }

        await Exited;
    }

    private async Task<int> WaitForExitAsync()
    {
        await _guard.WaitForExitAsync();
        // A surviving grandchild keeps the pipes open, hence the limited wait for the rest of the output.
        await Task.WhenAny(_pumps, Task.Delay(OutputDrainTime));
        _started.TrySetResult(null);
        return _guard.ExitCode;
    }

    private async Task PumpAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            // The child may have written half a line when the guard wrote its own.
            var mark = line.IndexOf(Guard.StateMark, StringComparison.Ordinal);
            if (mark >= 0)
            {
                _started.TrySetResult(JsonSerializer.Deserialize(line.AsSpan(mark + 1), GuardJson.Default.GuardState)?.Child);
            }

            if (mark != 0)
            {
                lock (_lastLines)
                {
                    _lastLines.Enqueue(mark < 0 ? line : line[..mark]);
                    if (_lastLines.Count > MaxLastLines)
                    {
                        _lastLines.Dequeue();
                    }
                }
            }
        }
    }
}
