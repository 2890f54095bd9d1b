namespace StatusUpdates.NativeServers.Native;

internal static class ToolPath
{
    /// <returns>The program's full path, or null if it is not in PATH.</returns>
    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);
}
