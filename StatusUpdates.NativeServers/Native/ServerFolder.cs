using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;

namespace StatusUpdates.NativeServers.Native;

/// <summary>A server's own folder (mode 700), owned by and reachable for the account that the server runs as.</summary>
internal static class ServerFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode TraversableByAll = OwnerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    // Where root creates the folders of servers if the requested path is not reachable (/root is mode 700).
    private const string RootFallback = "/var/lib/native-servers";

    /// <summary>
    /// Creates the folder if necessary. If the process is root and the account cannot reach the requested path (such as a clone in /root), the
    /// folder is created in /var/lib/native-servers and the requested path becomes a link to it. Several threads and processes may prepare one folder
    /// at once: they get the same one.
    /// </summary>
    /// <returns>The folder's real path.</returns>
    public static async Task<string> PrepareAsync(string requestedPath, UnixUser? user, CancellationToken cancellationToken)
    {
        requestedPath = Path.GetFullPath(requestedPath);
        if (user is null)
        {
            var own = new DirectoryInfo(requestedPath).LinkTarget ?? requestedPath;
            Directory.CreateDirectory(own, OwnerOnly);
            return own;
        }

        // Between the look at the folder and the link there is a moment without either.
        Directory.CreateDirectory(RootFallback, TraversableByAll);
        using var preparing = await FileLock.AcquireAsync(Path.Combine(RootFallback, ".lock"), cancellationToken);
        return await PrepareForAsync(requestedPath, user, cancellationToken);
    }

    private static async Task<string> PrepareForAsync(string requestedPath, UnixUser user, CancellationToken cancellationToken)
    {
        var folder = new DirectoryInfo(requestedPath).LinkTarget ?? requestedPath;
        if (Path.GetDirectoryName(folder) is { } parent && !Directory.Exists(parent))
        {
            Directory.CreateDirectory(parent, TraversableByAll);
        }

        var isNew = !Directory.Exists(folder);
        Directory.CreateDirectory(folder, OwnerOnly);
        Posix.ChangeOwner(folder, user);
        if (await IsReachableAsync(folder, user, cancellationToken))
        {
            return folder;
        }

        if (!isNew && Directory.EnumerateFileSystemEntries(folder).Any())
        {
            throw new InvalidOperationException($"The server runs as user {user.Name}, who cannot reach {folder}. Open its parent folders (chmod o+x), or move it.");
        }

        Directory.Delete(folder);
        var fallback = Path.Combine(RootFallback, NameOf(requestedPath));
        if (Directory.Exists(fallback))
        {
            // Nothing links to it any more: deleting the requested path was meant to delete this data too.
            Directory.Delete(fallback, recursive: true);
        }

        Directory.CreateDirectory(fallback, OwnerOnly);
        Posix.ChangeOwner(fallback, user);
        if (!await IsReachableAsync(fallback, user, cancellationToken))
        {
            throw new InvalidOperationException(
                $"The server runs as user {user.Name}, who can reach neither {requestedPath} nor {fallback}. Set TMPDIR to a folder open to all, or run as a regular user.");
        }

        Directory.CreateSymbolicLink(requestedPath, fallback);
        return fallback;
    }

    /// <summary>Deletes the folder and, if it or a folder directly in it is a link, the link's target.</summary>
    public static void Delete(string path)
    {
        if (new DirectoryInfo(path).LinkTarget is { } target)
        {
            File.Delete(path); // only the link
            path = target;
        }

        if (!Directory.Exists(path))
        {
            return;
        }

        foreach (var inner in new DirectoryInfo(path).EnumerateDirectories().Where(folder => folder.LinkTarget is not null))
        {
            Delete(inner.FullName);
        }

        Directory.Delete(path, recursive: true);
    }

    // A check by the kernel, as that user, is exact; evaluating the mode, owner and access list of every parent is not.
    private static async Task<bool> IsReachableAsync(string folder, UnixUser user, CancellationToken cancellationToken)
    {
        using var probe = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "cd / && test -w \"$1\" -a -x \"$1\"", "sh", folder]) { UserName = user.Name, WorkingDirectory = "/" })
            ?? throw new InvalidOperationException("/bin/sh could not be started.");
        await probe.WaitForExitAsync(cancellationToken);
        return probe.ExitCode == 0;
    }

    private static string NameOf(string path) => $"{Path.GetFileName(path)}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..12]}";
}
