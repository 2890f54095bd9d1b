using System.Collections.Concurrent;
using System.Diagnostics;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>One of the programs in a process of its own, that can be paused, ended in any way and started again.</summary>
/// <param name="assembly">Its file, which lies beside the tests.</param>
/// <param name="settings">Its configuration, given by the environment.</param>
internal sealed class ChildProcess(string assembly, IEnumerable<KeyValuePair<string, string?>> settings) : IAsyncDisposable
{
    private readonly KeyValuePair<string, string?>[] _settings = [.. settings];
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _awaited = new(StringComparer.Ordinal);
    private Process? _process;
    private Task _pumps = Task.CompletedTask;

    public int Id => _process!.Id;

    /// <summary>Ends when it has ended, however.</summary>
    public Task Ended => _process!.WaitForExitAsync(TestTime.Token);

    /// <summary>Starts it, and returns when it says that it has.</summary>
    public async Task StartAsync()
    {
        _process?.Dispose();
        var started = LineAsync("Application started");
        var lines = new ConcurrentQueue<string>();
        var process = _process = Process.Start(CreateStart())!;
        _pumps = Task.WhenAll(PumpAsync(process.StandardOutput, lines, started), PumpAsync(process.StandardError, lines, started));
        await Task.WhenAny(started, process.WaitForExitAsync(TestTime.Token));
        Assert.True(started.IsCompletedSuccessfully, $"{assembly} did not start:\n{string.Join('\n', lines)}");
    }

    /// <summary>Starts it, and returns when it has ended by itself: how, and what it wrote.</summary>
    public async Task<(int ExitCode, string Output, string Error)> RunAsync()
    {
        var process = _process = Process.Start(CreateStart())!;
        var output = process.StandardOutput.ReadToEndAsync(TestTime.Token);
        var error = process.StandardError.ReadToEndAsync(TestTime.Token);
        await process.WaitForExitAsync(TestTime.Token);
        return (process.ExitCode, await output, await error);
    }

    private ProcessStartInfo CreateStart()
    {
        // By the tests' list of dependencies: it is their folder, and of what a program has in its own some files are not there.
        var folder = AppContext.BaseDirectory;
        var start = new ProcessStartInfo(
            DotnetHost.Path, ["exec", "--depsfile", Path.Combine(folder, "StatusUpdates.Tests.deps.json"), Path.Combine(folder, assembly)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_ENVIRONMENT"] = "Development";
        foreach (var (key, value) in _settings)
        {
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        return start;
    }

    /// <summary>The next line of its output that contains this text.</summary>
    public Task<string> LineAsync(string text) => _awaited.GetOrAdd(
        text, _ => new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously)).Task.WaitAsync(TestTime.Token);

    /// <summary>Writes a line to its standard input.</summary>
    public async Task SayAsync(string text)
    {
        await _process!.StandardInput.WriteLineAsync(text.AsMemory(), TestTime.Token);
        await _process.StandardInput.FlushAsync(TestTime.Token);
    }

    /// <summary>Takes all time from it (SIGSTOP). Its connections stay open.</summary>
    public void Pause() => Posix.Signal(Id, OperatingSystem.IsMacOS() ? 17 : 19);

    /// <summary>Lets it go on (SIGCONT).</summary>
    public void Continue() => Posix.Signal(Id, OperatingSystem.IsMacOS() ? 19 : 18);

    /// <summary>Sends a signal, and waits until it has ended.</summary>
    public async Task EndAsync(int signal)
    {
        Posix.Signal(Id, signal);
        await Ended;
        await _pumps;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is null)
        {
            return;
        }

        // Also when the test's time is over.
        if (!_process.HasExited)
        {
            Posix.Signal(Id, Posix.SigKill);
        }

        await _process.WaitForExitAsync(CancellationToken.None);
        await _pumps;
        _process.Dispose();
    }

    private async Task PumpAsync(StreamReader reader, ConcurrentQueue<string> lines, Task started)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            if (!started.IsCompleted)
            {
                lines.Enqueue(line);
            }

            foreach (var (text, source) in _awaited)
            {
                if (line.Contains(text, StringComparison.Ordinal) && _awaited.TryRemove(new(text, source)))
                {
                    source.SetResult(line);
                }
            }
        }
    }
}
