using System.Runtime.InteropServices;
using Garnet;

namespace StatusUpdates.NativeServers.Native;

/// <summary>Runs Garnet in its own process, which can be killed and restarted like redis-server.</summary>
internal static class GarnetHost
{
    public const string Command = "garnet";

    public static async Task<int> RunAsync(string[] arguments)
    {
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            stop.TrySetResult();
        });
        using var server = new GarnetServer(arguments);
        server.Start();
        await stop.Task;
        return 0;
    }
}
