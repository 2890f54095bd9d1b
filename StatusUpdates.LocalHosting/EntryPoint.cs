using StatusUpdates.LocalHosting.Native;

namespace StatusUpdates.LocalHosting;

/// <summary>
/// The program side of this assembly: <c>guard</c> (see <see cref="Guard"/>) and <c>garnet FILE</c> (see <see cref="GarnetHost"/>).
/// </summary>
internal static class EntryPoint
{
    private static async Task<int> Main(string[] args)
    {
        switch (args)
        {
            case [Guard.Command]:
                return await Guard.RunAsync();
            case [GarnetHost.Command, var optionsFile]:
                return await GarnetHost.RunAsync(optionsFile);
            default:
                await Console.Error.WriteLineAsync("This program is started by StatusUpdates.AppHost; run ./run instead.");
                return 64; // EX_USAGE
        }
    }
}
