using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;

namespace StatusUpdates.NativeServers.Native;

/// <summary>A server's own folder (mode 700), owned by and within reach of the account it runs as.</summary>
internal static class ServerFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Passable = OwnerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    // Where root keeps the folders of servers if the wanted place lies behind a closed door (/root is mode 700).
    private const string RootsShelter = "/var/lib/native-servers";

    /// <summary>
    /// Creates the folder if needed. As root, where the account cannot reach the wanted place (a clone below /root, say),
    /// the folder is made below /var/lib/native-servers and the wanted place becomes a link to it.
    /// </summary>
    /// <returns>The folder's real path.</returns>
    public static async Task<string> PrepareAsync(string wanted, UnixUser? user, CancellationToken cancellationToken)
    {
        wanted = Path.GetFullPath(wanted);
        var folder = new DirectoryInfo(wanted).LinkTarget ?? wanted;
        if (user is null)
        {
            Directory.CreateDirectory(folder, OwnerOnly);
            return folder;
        }

        if (Path.GetDirectoryName(folder) is { } parent && !Directory.Exists(parent))
        {
            Directory.CreateDirectory(parent, Passable);
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
            throw new InvalidOperationException($"User {user.Name}, which the server runs as, cannot reach {folder}. Open its parent folders (chmod o+x), or move it.");
        }

        Directory.Delete(folder);
        var shelter = Path.Combine(RootsShelter, NameOf(wanted));
        Directory.CreateDirectory(RootsShelter, Passable);
        if (Directory.Exists(shelter))
        {
            // Nothing links to it any more: whoever deleted the wanted place meant this.
            Directory.Delete(shelter, recursive: true);
        }

        Directory.CreateDirectory(shelter, OwnerOnly);
        Posix.ChangeOwner(shelter, user);
        if (!await IsReachableAsync(shelter, user, cancellationToken))
        {
            throw new InvalidOperationException($"User {user.Name}, which the server runs as, can reach neither {wanted} nor {shelter}. Set TMPDIR to a folder open to all, or run as an ordinary user.");
        }

        Directory.CreateSymbolicLink(wanted, shelter);
        return shelter;
    }

    /// <summary>Removes the folder, and what it or a folder directly in it is a link to.</summary>
    public static void Delete(string wanted)
    {
        if (new DirectoryInfo(wanted).LinkTarget is { } target)
        {
            File.Delete(wanted); // the link alone
            wanted = target;
        }

        if (!Directory.Exists(wanted))
        {
            return;
        }

        foreach (var inner in new DirectoryInfo(wanted).EnumerateDirectories().Where(folder => folder.LinkTarget is not null))
        {
            Delete(inner.FullName);
        }

        Directory.Delete(wanted, recursive: true);
    }

    // Asking the kernel as that user is exact; reading every parent's mode, owner and access list is not.
    private static async Task<bool> IsReachableAsync(string folder, UnixUser user, CancellationToken cancellationToken)
    {
        using var probe = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "cd / && test -w \"$1\" -a -x \"$1\"", "sh", folder]) { UserName = user.Name, WorkingDirectory = "/" })
            ?? throw new InvalidOperationException("/bin/sh cannot be started");
        await probe.WaitForExitAsync(cancellationToken);
        return probe.ExitCode == 0;
    }

    private static string NameOf(string path) => $"{Path.GetFileName(path)}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..12]}";
}
