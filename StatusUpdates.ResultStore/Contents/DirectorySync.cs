using System.Runtime.InteropServices;

namespace StatusUpdates.ResultStore.Contents;

/// <summary>Makes the names in a directory durable (fsync of the directory), for which .NET has no API.</summary>
internal static partial class DirectorySync
{
    private const int ReadOnly = 0; // O_RDONLY
    private const int Invalid = 22; // EINVAL: this file system cannot do it, as some network file systems

    /// <summary>Returns when files that were created in the directory, renamed or removed before are so after a power failure too.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public static void Flush(string directory)
    {
        // Windows makes renames durable by itself (NTFS journals them in order).
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var file = open(directory, ReadOnly);
        if (file < 0)
        {
            throw Failure(directory);
        }

        try
        {
            if (fsync(file) != 0 && Marshal.GetLastPInvokeError() != Invalid)
            {
                throw Failure(directory);
            }
        }
        finally
        {
            _ = close(file);
        }
    }

    private static IOException Failure(string directory) =>
        new($"{directory} could not be synchronized: {Marshal.GetLastPInvokeErrorMessage()}.");

#pragma warning disable IDE1006, SA1300 // Named as in C.
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(int file);

    [LibraryImport("libc")]
    private static partial int close(int file);
#pragma warning restore IDE1006, SA1300
}
