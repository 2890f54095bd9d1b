using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// Runs one child process, and stops it when the process that requested it is gone.
/// Contract: the guard reads one line from standard input, a <see cref="GuardSpec"/>. Standard input then stays open for as long as the child
/// should run; the kernel closes it when the parent dies, for any reason. Alternatively the spec comes from a file and names an owner, which the
/// guard watches. When the parent or owner is gone, or on SIGTERM, SIGINT or SIGHUP, the guard stops the child. The child writes directly to the
/// guard's standard output and error. A guard with its spec from standard input also writes one line of its own to standard output, marked with
/// <see cref="StateMark"/>: its <see cref="GuardState"/>. The guard exits with the child's exit code.
/// </summary>
internal static class Guard
{
    public const string Command = "guard";

    /// <summary>The first character of the guard's own line: the ASCII record separator, with which no server's log line starts.</summary>
    public const char StateMark = '\u001e';

    private const int CannotStart = 127; // the exit code that shells use
    private static readonly TimeSpan ClientGracePeriod = TimeSpan.FromSeconds(2.5);
    private static readonly TimeSpan OwnerPollInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs the spec from standard input until standard input is closed.</summary>
    public static async Task<int> RunAsync()
    {
        var parent = Posix.ParentId();
        using var input = new StreamReader(Console.OpenStandardInput());
        if (await input.ReadLineAsync() is not { } line)
        {
            return 0; // The parent died before it sent a spec.
        }

        // Reading a pipe blocks the thread: use a dedicated one.
        var parentGone = Task.Factory.StartNew(input.ReadToEnd, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return await RunAsync(SpecOf(line), parent, parentGone);
    }

    /// <summary>Runs the spec from the file until the owner that it names is gone.</summary>
    public static async Task<int> RunAsync(string specFile)
    {
        var parent = Posix.ParentId();

        // Servers log to standard error, which the dashboard would show as errors.
        Posix.RedirectErrorToOutput();
        var spec = SpecOf(await File.ReadAllTextAsync(specFile));
        var owner = spec.Owner ?? throw new InvalidDataException($"{specFile} names no owner.");
        return await RunAsync(spec, parent, owner.WaitForExitAsync(OwnerPollInterval, CancellationToken.None));
    }

    private static async Task<int> RunAsync(GuardSpec spec, int parent, Task parentGone)
    {
        Posix.StartSession();
        var signaled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void StopOnSignal(PosixSignalContext signal)
        {
            signal.Cancel = true;
            signaled.TrySetResult();
        }

        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, StopOnSignal);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, StopOnSignal);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, StopOnSignal);

        using var child = new Process
        {
            StartInfo = new(spec.FileName, spec.Arguments)
            {
                RedirectStandardInput = true,
                UserName = spec.UserName ?? "",
                WorkingDirectory = spec.WorkingDirectory ?? "",
            },
        };
        try
        {
            child.Start();
        }
        catch (Win32Exception error)
        {
            await Console.Error.WriteLineAsync($"{spec.FileName} could not be started: {error.Message}");
            return CannotStart;
        }

        // The child must not read the guard's input.
        child.StandardInput.Close();
        await AnnounceAsync(spec, child.Id);

        var exited = child.WaitForExitAsync();
        await Task.WhenAny(exited, parentGone, signaled.Task);
        if (spec.Owner is { IsAlive: false })
        {
            // The owner was killed, and the orchestrator stops its services and this guard at the same time: to shut down cleanly, the services
            // need the server a little longer.
            await Task.WhenAny(exited, Task.Delay(ClientGracePeriod));
        }

        await StopAsync(child.Id, exited, spec.StopSteps);

        CleanUp(spec, parent);
        return child.ExitCode;
    }

    private static GuardSpec SpecOf(string json) =>
        JsonSerializer.Deserialize(json, GuardJson.Default.GuardSpec) ?? throw new InvalidDataException("The guard received no spec.");

    private static void CleanUp(GuardSpec spec, int parent)
    {
        try
        {
            if (spec.StateFile is { } stateFile)
            {
                File.Delete(stateFile);
            }

            // Checked only after the child has stopped: a dying process closes its pipes before its children get a new parent.
            if (spec.TemporaryDirectory is { } temporary && Posix.ParentId() != parent)
            {
                ServerFolder.Delete(temporary);
            }
        }
        catch (IOException error)
        {
            // Other guards of the same dead parent may delete the same folder at the same time. Leftovers do no harm.
            Console.Error.WriteLine(error.Message);
        }
    }

    /// <summary>Stops a process step by step, then with SIGKILL. Takes at most the sum of the steps' times.</summary>
    public static async Task StopAsync(int pid, Task exited, IEnumerable<StopStep> steps)
    {
        foreach (var step in steps.TakeWhile(_ => !exited.IsCompleted))
        {
            Posix.Signal(pid, step.Signal);
            await Task.WhenAny(exited, Task.Delay(step.Patience));
        }

        if (!exited.IsCompleted)
        {
            ProcessTree.Kill(pid);
        }

        await exited;
    }

    private static async Task AnnounceAsync(GuardSpec spec, int childPid)
    {
        if (ProcessIdentity.Of(Environment.ProcessId) is not { } guard || ProcessIdentity.Of(childPid) is not { } child)
        {
            return; // The child has already exited; its exit code is reported.
        }

        var state = JsonSerializer.Serialize(new GuardState(guard, child), GuardJson.Default.GuardState);
        if (spec.StateFile is { } stateFile)
        {
            await PrivateFile.WriteAsync(stateFile, state, CancellationToken.None);
        }

        if (spec.Owner is null)
        {
            await Console.Out.WriteLineAsync($"{StateMark}{state}");
            await Console.Out.FlushAsync();
        }
    }
}
