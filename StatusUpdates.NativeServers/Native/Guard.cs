using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// Runs one child and outlives whoever asked for it just long enough to stop that child.
/// Contract: standard input brings one line, a <see cref="GuardSpec"/>, and then stays open for as long as the child is wanted; the kernel closes
/// it when the parent dies, however it dies. Or a file brings the spec, and the owner that it names is watched. When the parent or owner is
/// gone, the guard stops the child. SIGTERM, SIGINT and SIGHUP to the guard mean the same. The child writes straight to the guard's standard
/// output and error. A guard that was told by standard input writes one line there itself, marked by <see cref="StateMark"/>: its
/// <see cref="GuardState"/>. It exits with the child's exit code.
/// </summary>
internal static class Guard
{
    public const string Command = "guard";

    /// <summary>Begins the guard's own line: ASCII "record separator", which no server's log begins with.</summary>
    public const char StateMark = '\u001e';

    private const int CannotStart = 127; // as shells answer
    private static readonly TimeSpan TimeForClients = TimeSpan.FromSeconds(2.5);
    private static readonly TimeSpan OwnerPoll = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs what standard input says, for as long as standard input stays open.</summary>
    public static async Task<int> RunAsync()
    {
        var parent = Posix.ParentId();
        using var input = new StreamReader(Console.OpenStandardInput());
        if (await input.ReadLineAsync() is not { } line)
        {
            return 0; // The parent died before it said what it wants.
        }

        // Reading a pipe blocks a thread: give it one of its own.
        var parentGone = Task.Factory.StartNew(
            () => ReadToEnd(input), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return await RunAsync(SpecOf(line), parent, parentGone, announce: true);
    }

    /// <summary>Runs what the file says, for as long as the owner that it names lives.</summary>
    public static async Task<int> RunAsync(string specFile)
    {
        var parent = Posix.ParentId();

        // Servers log to standard error, which whoever shows our output would take for errors.
        Posix.JoinErrorsToOutput();
        var spec = SpecOf(await File.ReadAllTextAsync(specFile));
        var owner = spec.Owner ?? throw new InvalidDataException($"{specFile} names no owner");
        return await RunAsync(spec, parent, UntilGoneAsync(owner), announce: false);
    }

    private static async Task<int> RunAsync(GuardSpec spec, int parent, Task parentGone, bool announce)
    {
        Posix.StartSession();
        var wanted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void StopOnSignal(PosixSignalContext signal)
        {
            signal.Cancel = true;
            wanted.TrySetResult();
        }

        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, StopOnSignal);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, StopOnSignal);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, StopOnSignal);

        using var child = new Process { StartInfo = StartInfoOf(spec) };
        try
        {
            child.Start();
        }
        catch (Win32Exception error)
        {
            await Console.Error.WriteLineAsync($"{spec.FileName} cannot be started: {error.Message}");
            return CannotStart;
        }

        // The child must not read what is meant for us.
        child.StandardInput.Close();
        await AnnounceAsync(spec, child.Id, announce);

        var exited = child.WaitForExitAsync();
        await Task.WhenAny(exited, parentGone, wanted.Task);
        if (spec.Owner is { IsAlive: false })
        {
            // The owner was killed, and the orchestrator ends its services and us at the same time: what they have to put away needs the server.
            await Task.WhenAny(exited, Task.Delay(TimeForClients));
        }

        await StopAsync(child.Id, exited, spec.StopSteps);

        CleanUp(spec, parent);
        return child.ExitCode;
    }

    private static GuardSpec SpecOf(string json) =>
        JsonSerializer.Deserialize(json, GuardJson.Default.GuardSpec) ?? throw new InvalidDataException("the guard was told to run nothing");

    private static async Task UntilGoneAsync(ProcessIdentity owner)
    {
        // No child of ours, so its end is polled for.
        while (owner.IsAlive)
        {
            await Task.Delay(OwnerPoll);
        }
    }

    private static void CleanUp(GuardSpec spec, int parent)
    {
        try
        {
            if (spec.StateFile is { } stateFile)
            {
                File.Delete(stateFile);
            }

            DeleteTemporary(spec, parent);
        }
        catch (IOException error)
        {
            // Other guards of the same dead parent tidy up at the same time; what one leaves, another or nobody misses.
            Console.Error.WriteLine(error.Message);
        }
    }

    private static void DeleteTemporary(GuardSpec spec, int parent)
    {
        // After the stop: a dying process closes its pipes before its children get another parent.
        if (spec.TemporaryDirectory is { } temporary && Posix.ParentId() != parent)
        {
            ServerFolder.Delete(temporary);
        }
    }

    /// <summary>Stops a process step by step, then by force. Bounded by the sum of the steps' patience.</summary>
    public static async Task StopAsync(int pid, Task exited, IEnumerable<StopStep> steps)
    {
        foreach (var step in steps)
        {
            if (exited.IsCompleted)
            {
                break;
            }

            Posix.Signal(pid, step.Signal);
            await Task.WhenAny(exited, Task.Delay(step.Patience));
        }

        if (!exited.IsCompleted)
        {
            ProcessTree.Kill(pid);
        }

        await exited;
    }

    private static ProcessStartInfo StartInfoOf(GuardSpec spec)
    {
        var start = new ProcessStartInfo(spec.FileName, spec.Arguments)
        {
            RedirectStandardInput = true,
            UserName = spec.UserName ?? "",
            WorkingDirectory = spec.WorkingDirectory ?? "",
        };
        foreach (var (name, value) in spec.Environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    private static async Task AnnounceAsync(GuardSpec spec, int childPid, bool announce)
    {
        if (ProcessIdentity.Of(Environment.ProcessId) is not { } guard || ProcessIdentity.Of(childPid) is not { } child)
        {
            return; // The child is gone again; its exit code says the rest.
        }

        var state = JsonSerializer.Serialize(new GuardState(guard, child), GuardJson.Default.GuardState);
        if (spec.StateFile is { } stateFile)
        {
            await PrivateFile.WriteAsync(stateFile, state, CancellationToken.None);
        }

        if (announce)
        {
            await Console.Out.WriteLineAsync($"{StateMark}{state}");
            await Console.Out.FlushAsync();
        }
    }

    private static void ReadToEnd(StreamReader input)
    {
        while (input.Read() >= 0)
        {
            // Nothing more is said; only the end matters.
        }
    }
}
