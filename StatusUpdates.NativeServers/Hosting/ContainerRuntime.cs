using System.ComponentModel;
using System.Diagnostics;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.NativeServers.Hosting;

/// <summary>
/// Checks whether Docker or Podman can run containers here. Their daemon must respond; a client in PATH is not enough, because without a daemon
/// Aspire would wait until its start is canceled. Checked once per process.
/// </summary>
internal static class ContainerRuntime
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);
    private static readonly Lazy<bool> Result = new(() => Responds("docker") || Responds("podman"));

    public static bool IsAvailable => Result.Value;

    private static bool Responds(string client)
    {
        if (ToolPath.Find(OperatingSystem.IsWindows() ? $"{client}.exe" : client) is not { } path)
        {
            return false;
        }

        try
        {
            using var process = Process.Start(new ProcessStartInfo(path, ["info"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;

            // The output must be read, though it is discarded: a full pipe would block the process.
            process.OutputDataReceived += static (_, _) => { };
            process.ErrorDataReceived += static (_, _) => { };
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            if (process.WaitForExit(Timeout))
            {
                return process.ExitCode == 0;
            }

            process.Kill(entireProcessTree: true);
            return false;
        }
        catch (Win32Exception)
        {
            return false; // Not executable here.
        }
    }
}
