using System.Diagnostics;
using System.Text.Json;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// The parent's side of a <see cref="Guard"/>: a child process that ends when we end, however we end.
/// Thread safety: all members may be called from any thread.
/// </summary>
internal sealed class GuardedProcess : IAsyncDisposable
{
    private const int RememberedLines = 40;
    private static readonly TimeSpan OutputDrain = TimeSpan.FromSeconds(1);

    private readonly Process _guard;
    private readonly Action<string>? _output;
    private readonly Queue<string> _lastLines = new();
    private readonly TaskCompletionSource<ProcessIdentity?> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _pumps;
    private int _disposed;

    private GuardedProcess(Process guard, Action<string>? output)
    {
        _guard = guard;
        _output = output;
        _pumps = Task.WhenAll(PumpAsync(guard.StandardOutput), PumpAsync(guard.StandardError));
        Exited = WaitForExitAsync();
    }

    /// <summary>The child (not its guard).</summary>
    public ProcessIdentity Child { get; private set; }

    /// <summary>Completes with the exit code once child and guard are gone; 128 plus its number if a signal ended the child.</summary>
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

    /// <summary>Starts a guard and its child, and returns once the child runs. Readiness is the caller's business.</summary>
    /// <exception cref="ChildProcessException">The child could not be started, or ended at once.</exception>
    public static async Task<GuardedProcess> StartAsync(GuardSpec spec, Action<string>? output, CancellationToken cancellationToken)
    {
        NativePlatform.ThrowIfUnsupported();
        var guard = Process.Start(new ProcessStartInfo(DotnetHost.Path, ["exec", DotnetHost.OwnAssembly, Guard.Command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        }) ?? throw new InvalidOperationException("the guard did not start");
        var process = new GuardedProcess(guard, output);
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

    /// <summary>Runs a program under a guard to its end.</summary>
    /// <exception cref="ChildProcessException">Its exit code was not 0.</exception>
    public static async Task RunAsync(GuardSpec spec, Action<string>? output, CancellationToken cancellationToken)
    {
        await using var process = await StartAsync(spec, output, cancellationToken);
        var exitCode = await process.Exited.WaitAsync(cancellationToken);
        if (exitCode != 0)
        {
            throw ChildProcessException.Ended(spec.FileName, exitCode, process.LastLines);
        }
    }

    /// <summary>Sends the signal and waits; when the patience is over, or the caller's is, the guard stops the child by its own steps.</summary>
    public async Task StopAsync(int signal, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (!Exited.IsCompleted && Child.IsAlive)
        {
            Posix.Signal(Child.Pid, signal);
            await Task.WhenAny(Exited, Task.Delay(patience, cancellationToken));
        }

        await DisposeAsync();
    }

    /// <summary>Kills the child and all below it (SIGKILL), at once.</summary>
    /// <returns>What was killed, and may take a while to end.</returns>
    public IReadOnlyList<ProcessIdentity> Kill() => !Exited.IsCompleted && Child.IsAlive ? ProcessTree.Kill(Child.Pid) : [];

    /// <summary>Kills the child and all below it (SIGKILL), and waits until all of it has ended.</summary>
    public async Task KillAsync()
    {
        var killed = Kill();
        await DisposeAsync();
        while (killed.Any(process => process.IsAlive))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5));
        }
    }

    /// <summary>Stops the child by the guard's steps, and waits for both. Not cancelable: nothing may be left running.</summary>
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
                // A guard that is gone has closed its end already: what was still buffered is not needed by anybody.
            }
        }

        await Exited;
    }

    private async Task<int> WaitForExitAsync()
    {
        await _guard.WaitForExitAsync();
        // A grandchild that lives on holds the pipes open, so the rest of the output is waited for only briefly.
        await Task.WhenAny(_pumps, Task.Delay(OutputDrain));
        _started.TrySetResult(null);
        return _guard.ExitCode;
    }

    private async Task PumpAsync(StreamReader reader)
    {
        // Off the constructor's stack first: _output may be slow, and Start must not wait for it.
        await Task.Yield();
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
                Keep(mark < 0 ? line : line[..mark]);
            }
        }
    }

    private void Keep(string line)
    {
        lock (_lastLines)
        {
            _lastLines.Enqueue(line);
            if (_lastLines.Count > RememberedLines)
            {
                _lastLines.Dequeue();
            }
        }

        _output?.Invoke(line);
    }
}
