namespace StatusUpdates.NativeServers.Native;

internal static class ToolPath
{
    /// <returns>The program's full path, or null if PATH does not have it.</returns>
    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);
}
