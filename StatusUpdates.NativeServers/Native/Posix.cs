using System.ComponentModel;
using System.Runtime.InteropServices;

namespace StatusUpdates.NativeServers.Native;

/// <summary>The few system calls that .NET has no API for. The signal numbers are those common to Linux and macOS.</summary>
internal static partial class Posix
{
    public const int SigInt = 2;
    public const int SigQuit = 3;
    public const int SigKill = 9;
    public const int SigTerm = 15;

    private const int NoSuchProcess = 3; // ESRCH

    public static bool IsRoot => geteuid() == 0;

    /// <summary>Sends a signal; a process that is already gone is no error.</summary>
    /// <returns>Whether the process was there.</returns>
    /// <exception cref="Win32Exception">The signal may not be sent to that process.</exception>
    public static bool Signal(int pid, int signal)
    {
        // 0, -1 and other negatives address groups: never what is meant here.
        ArgumentOutOfRangeException.ThrowIfLessThan(pid, 2);
        if (kill(pid, signal) == 0)
        {
            return true;
        }

        var error = Marshal.GetLastPInvokeError();
        return error == NoSuchProcess ? false : throw new Win32Exception(error, $"cannot signal process {pid}");
    }

    /// <summary>Leaves the terminal's session, so that Ctrl+C reaches the AppHost alone and the stopping order is its own.</summary>
    public static void StartSession()
    {
        // Fails only in a process that leads its group already, which then has what it wants from this call.
        _ = setsid();
    }

    /// <summary>From now on what this process and its children write to standard error goes to standard output.</summary>
    public static void JoinErrorsToOutput()
    {
        // Fails only where standard output is closed, and then there is nothing to join.
        _ = dup2(1, 2);
    }

    /// <summary>The id of our parent: another one once the process that started us is gone.</summary>
    public static int ParentId() => getppid();

    public static void ChangeOwner(string path, UnixUser user)
    {
        if (lchown(path, user.UserId, user.GroupId) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"cannot give {path} to user {user.Name}");
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc")]
    private static partial int getppid();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsid();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int dup2(int from, int to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int lchown(string path, uint owner, uint group);
}
