using System.Globalization;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>A worker in a separate process that can be killed, paused, stopped and restarted.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private WorkerProcess(ChildProcess process) => Process = process;

    public ChildProcess Process { get; }

    /// <summary>Starts a worker. Its sample providers take no time unless the settings say otherwise.</summary>
    public static async Task<WorkerProcess> StartAsync(TestDatabase database, TestRedis redis, params (string Key, string Value)[] settings)
    {
        var all = new Dictionary<string, string?>(TestSettings.Of(database, redis))
        {
            ["Worker:Providers:ProductCard"] = "00:00:00",
            ["Worker:Providers:ChatProcessing"] = "00:00:00",
        };
        foreach (var (key, value) in settings)
        {
            all[key] = value;
        }

        var worker = new WorkerProcess(new ChildProcess("StatusUpdates.SampleProviders.dll", all));
        await worker.Process.StartAsync();
        return worker;
    }

    /// <summary>Starts a worker whose product cards come from one of the tests' providers: see <see cref="TestProviders"/>.</summary>
    public static Task<WorkerProcess> StartWithAsync(
        string provider, TestDatabase database, TestRedis redis, params (string Key, string Value)[] settings) => StartAsync(
            database,
            redis,
            [
                .. settings,
                ("DOTNET_STARTUP_HOOKS", typeof(WorkerProcess).Assembly.Location),
                (TestProviders.Variable, provider),
            ]);

    /// <summary>Size of the managed heap after a full collection, in bytes. Only for a worker with one of the tests' providers.</summary>
    public async Task<long> ReadHeapAsync()
    {
        var line = Process.LineAsync(TestProviders.Heap);
        await Process.WriteLineAsync(TestProviders.Heap);
        return long.Parse((await line)[TestProviders.Heap.Length..], CultureInfo.InvariantCulture);
    }

    /// <summary>Kills the worker (SIGKILL).</summary>
    public Task KillAsync() => Process.EndAsync(Posix.SigKill);

    /// <summary>Stops the worker (SIGTERM) and waits until it has ended.</summary>
    public Task StopAsync() => Process.EndAsync(Posix.SigTerm);

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}
