using System.ComponentModel;
using System.Diagnostics;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.NativeServers.Hosting;

/// <summary>
/// Whether Docker or Podman can run containers here. Asked of their daemon, because a client on the PATH says nothing: Aspire then waits for a
/// daemon until its start is canceled. Asked once for each process.
/// </summary>
internal static class ContainerRuntime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly Lazy<bool> Answer = new(() => Ask("docker") || Ask("podman"));

    public static bool Answers => Answer.Value;

    private static bool Ask(string client)
    {
        if (ToolPath.Find(OperatingSystem.IsWindows() ? $"{client}.exe" : client) is not { } path)
        {
            return false;
        }

        try
        {
            using var process = Process.Start(new ProcessStartInfo(path, ["info"]) { RedirectStandardOutput = true, RedirectStandardError = true });
            if (process is null)
            {
                return false;
            }

            // Read and dropped: a full pipe would block it.
            process.OutputDataReceived += static (_, _) => { };
            process.ErrorDataReceived += static (_, _) => { };
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            if (process.WaitForExit(Patience))
            {
                return process.ExitCode == 0;
            }

            process.Kill(entireProcessTree: true);
            return false;
        }
        catch (Win32Exception)
        {
            return false; // Not a program that can be run here.
        }
    }
}
