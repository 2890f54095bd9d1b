using System.Globalization;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>A worker in a process of its own, that can be killed, paused, stopped and started again.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private WorkerProcess(ChildProcess process) => Process = process;

    public ChildProcess Process { get; }

    /// <summary>A running worker. Its built-in providers take no time unless the settings say so.</summary>
    public static async Task<WorkerProcess> StartAsync(TestDatabase database, TestRedis redis, params (string Key, string Value)[] settings)
    {
        var all = new Dictionary<string, string?>
        {
            ["ConnectionStrings:statusdb"] = database.ConnectionString,
            ["ConnectionStrings:redis"] = redis.ConnectionString,
            ["StatusMessaging:ChannelPrefix"] = redis.ChannelPrefix,
            ["Worker:Providers:ProductCard:Duration"] = "00:00:00",
            ["Worker:Providers:ChatProcessing:Duration"] = "00:00:00",
        };
        foreach (var (key, value) in settings)
        {
            all[key] = value;
        }

        var worker = new WorkerProcess(new ChildProcess("StatusUpdates.Worker.dll", all));
        await worker.Process.StartAsync();
        return worker;
    }

    /// <summary>A running worker that does product cards by a provider of the tests' own: see <see cref="TestProviders"/>.</summary>
    public static Task<WorkerProcess> StartWithAsync(
        string provider, TestDatabase database, TestRedis redis, params (string Key, string Value)[] settings) => StartAsync(
            database,
            redis,
            [
                .. settings,
                ("DOTNET_STARTUP_HOOKS", typeof(WorkerProcess).Assembly.Location),
                (TestProviders.Variable, provider),
            ]);

    /// <summary>Size of its managed heap after a full collection, in bytes. Of a worker with a provider of the tests' own.</summary>
    public async Task<long> ReadHeapAsync()
    {
        var line = Process.LineAsync(TestProviders.Heap);
        await Process.SayAsync(TestProviders.Heap);
        return long.Parse((await line)[TestProviders.Heap.Length..], CultureInfo.InvariantCulture);
    }

    /// <summary>Kills it (SIGKILL).</summary>
    public Task KillAsync() => Process.EndAsync(Posix.SigKill);

    /// <summary>Tells it to stop, and waits until it has ended.</summary>
    public Task StopAsync() => Process.EndAsync(Posix.SigTerm);

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}
