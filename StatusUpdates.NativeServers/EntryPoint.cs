using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.NativeServers;

/// <summary>
/// The entry point when this assembly runs as a program: <c>guard</c>, <c>guard FILE</c> (see <see cref="Native.Guard"/>) or <c>garnet</c> with
/// Garnet's own arguments (see <see cref="Native.GarnetHost"/>).
/// </summary>
internal static class EntryPoint
{
    private static async Task<int> Main(string[] args)
    {
        switch (args)
        {
            case [Guard.Command]:
                return await Guard.RunAsync();
            case [Guard.Command, var specFile]:
                return await Guard.RunAsync(specFile);
            case [GarnetHost.Command, .. var options]:
                return await GarnetHost.RunAsync(options);
            default:
                await Console.Error.WriteLineAsync("This program is started by an app host that runs native servers. It is not meant to be started directly.");
                return 64; // EX_USAGE
        }
    }
}
