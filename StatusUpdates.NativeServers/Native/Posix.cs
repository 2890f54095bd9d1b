using System.ComponentModel;
using System.Runtime.InteropServices;

namespace StatusUpdates.NativeServers.Native;

/// <summary>System calls for which .NET has no API. The signal numbers are the same on Linux and macOS.</summary>
internal static partial class Posix
{
    public const int SigInt = 2;
    public const int SigQuit = 3;
    public const int SigKill = 9;
    public const int SigTerm = 15;

    private const int NoSuchProcess = 3; // ESRCH

    /// <exception cref="PlatformNotSupportedException">Neither Linux nor macOS.</exception>
    public static void ThrowIfUnsupported()
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS())
        {
            throw new PlatformNotSupportedException(
                "Native servers run only on Linux and macOS. On Windows, start Docker Desktop or Podman to run PostgreSQL and Redis as containers, or use WSL.");
        }
    }

    /// <summary>Sends a signal. It is not an error if the process has already exited.</summary>
    /// <exception cref="Win32Exception">The signal may not be sent to that process.</exception>
    public static void Signal(int pid, int signal)
    {
        // 0, -1 and other negative values address process groups, which is never intended here.
        ArgumentOutOfRangeException.ThrowIfLessThan(pid, 2);
        if (kill(pid, signal) != 0 && Marshal.GetLastPInvokeError() is var error and not NoSuchProcess)
        {
            throw new Win32Exception(error, $"Cannot signal process {pid}");
        }
    }

    /// <summary>Leaves the terminal's session: Ctrl+C then reaches only the app host, which controls the order of stopping.</summary>
    public static void StartSession()
    {
        // Fails only in a process group leader, which does not need this call.
        _ = setsid();
    }

    /// <summary>Redirects standard error of this process and its future children to standard output.</summary>
    public static void RedirectErrorToOutput()
    {
        // Fails only if standard output is closed, which leaves nothing to redirect to.
        _ = dup2(1, 2);
    }

    public static void ChangeOwner(string path, UnixUser user)
    {
        if (lchown(path, user.UserId, user.GroupId) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"Cannot change the owner of {path} to {user.Name}");
        }
    }

    /// <summary>The parent's process id. It changes when the parent exits.</summary>
    [LibraryImport("libc", EntryPoint = "getppid")]
    public static partial int ParentId();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsid();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int dup2(int from, int to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int lchown(string path, uint owner, uint group);
}
