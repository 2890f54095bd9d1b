namespace StatusUpdates.NativeServers.Native;

/// <summary>A server or tool exited unexpectedly or was not ready in time. The message ends with its last lines of output.</summary>
public sealed class ChildProcessException(string message) : Exception(message)
{
    internal static ChildProcessException Ended(string program, int exitCode, IReadOnlyList<string> lastLines) =>
        new($"{program} exited with code {exitCode}.{Quote(lastLines)}");

    internal static ChildProcessException NotReady(string program, TimeSpan timeout, IReadOnlyList<string> lastLines) =>
        new($"{program} was not ready within {timeout.TotalSeconds:0} s.{Quote(lastLines)}");

    private static string Quote(IReadOnlyList<string> lines) =>
        lines.Count == 0 ? " It wrote no output." : $" Its last lines of output:{Environment.NewLine}  {string.Join($"{Environment.NewLine}  ", lines)}";
}
