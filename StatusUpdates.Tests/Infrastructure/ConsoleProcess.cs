using System.Collections.Concurrent;
using System.Diagnostics;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>A program in a separate process whose output is read. It can be paused, ended in any way and restarted.</summary>
/// <param name="start">What to run.</param>
/// <param name="readyText">Part of the line that the program prints when it has started.</param>
internal abstract class ConsoleProcess(ProcessStartInfo start, string readyText) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _awaited = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _lines = new();
    private Process? _process;
    private Task _pumps = Task.CompletedTask;
    private Task _ready = Task.CompletedTask;

    public int Id => _process!.Id;

    /// <summary>What it has printed since its start.</summary>
    public string Output => string.Join('\n', _lines);

    /// <summary>Whether it runs, and the last lines that it printed: for the message of a test that failed.</summary>
    public string Describe() => string.Join(
        '\n', [$"{start.ArgumentList[^1]}, {(_process is { HasExited: true } ended ? $"ended with {ended.ExitCode}" : "running")}:", .. _lines.TakeLast(60).Select(line => $"  {line}")]);

    /// <summary>Completes when the process has ended, in any way.</summary>
    public Task Ended => _process!.WaitForExitAsync(TestTime.Token);

    /// <summary>Starts the process and returns when it reports that it has started.</summary>
    public Task StartAsync()
    {
        Start();
        return UntilReadyAsync();
    }

    public void Start()
    {
        _lines.Clear();
        _ready = LineAsync(readyText);
        var process = StartProcess();
        _pumps = Task.WhenAll(PumpAsync(process.StandardOutput), PumpAsync(process.StandardError));
    }

    public async Task UntilReadyAsync()
    {
        await Task.WhenAny(_ready, Ended, Task.Delay(TestTime.Patience, TestTime.Token));
        Assert.True(_ready.IsCompletedSuccessfully, $"{string.Join(' ', start.ArgumentList)} did not start:\n{Output}");
    }

    /// <summary>Waits until the process has ended, and returns its exit code.</summary>
    public async Task<int> UntilExitAsync()
    {
        await Ended;
        await _pumps;
        return _process!.ExitCode;
    }

    /// <summary>Starts the process, waits until it exits by itself, and returns its exit code and output.</summary>
    public async Task<(int ExitCode, string Output, string Error)> RunAsync()
    {
        var process = StartProcess();
        var output = process.StandardOutput.ReadToEndAsync(TestTime.Token);
        var error = process.StandardError.ReadToEndAsync(TestTime.Token);
        return (await UntilExitAsync(), await output, await error);
    }

    /// <summary>The next line of output that contains this text.</summary>
    public Task<string> LineAsync(string text) => _awaited.GetOrAdd(
        text, _ => new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously)).Task.WaitAsync(TestTime.Token);

    /// <summary>Writes a line to the process's standard input, which must be redirected.</summary>
    public async Task WriteLineAsync(string text)
    {
        await _process!.StandardInput.WriteLineAsync(text.AsMemory(), TestTime.Token);
        await _process.StandardInput.FlushAsync(TestTime.Token);
    }

    public void Signal(int signal) => Posix.Signal(Id, signal);

    /// <summary>Suspends the process (SIGSTOP). Its connections stay open.</summary>
    public void Pause() => Signal(OperatingSystem.IsMacOS() ? 17 : 19);

    /// <summary>Resumes the process (SIGCONT).</summary>
    public void Continue() => Signal(OperatingSystem.IsMacOS() ? 19 : 18);

    /// <summary>Sends a signal and waits until the process has ended.</summary>
    public Task EndAsync(int signal)
    {
        Signal(signal);
        return UntilExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is null)
        {
            return;
        }

        // Even after the test's time limit.
        if (!_process.HasExited)
        {
            Signal(Posix.SigKill);
        }

        await _process.WaitForExitAsync(CancellationToken.None);
        await _pumps;
        _process.Dispose();
    }

    private Process StartProcess()
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        _process?.Dispose();
        return _process = Process.Start(start)!;
    }

    private async Task PumpAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            _lines.Enqueue(line);
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
