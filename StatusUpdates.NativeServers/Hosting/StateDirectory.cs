using System.Globalization;
using Aspire.Hosting;

namespace StatusUpdates.NativeServers.Hosting;

/// <summary>The folder of the servers' folders, which belongs to one run at a time.</summary>
internal static class StateDirectory
{
    private const UnixFileMode TraversableByAll = // The servers' accounts can reach their own folders but cannot list this one.
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <returns>The lock, held until it is disposed or the process ends.</returns>
    /// <exception cref="DistributedApplicationException">Another run has locked the folder; the message includes its process id.</exception>
    public static async Task<FileStream> LockAsync(string path, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(path, TraversableByAll);
        var file = Path.Combine(path, "lock");

        // Not in the lock file itself, which cannot be read without holding the lock.
        var holder = Path.Combine(path, "lock.pid");
        FileStream lockStream;
        try
        {
            lockStream = new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(file))
        {
            var who = File.Exists(holder) ? $" (process {await File.ReadAllTextAsync(holder, cancellationToken)})" : "";
            throw new DistributedApplicationException(
                $"Another run{who} keeps its servers in {path}. Stop that run first, or set {NativeServerSettings.Section}__StateDirectory to another folder.");
        }

        await File.WriteAllTextAsync(holder, Environment.ProcessId.ToString(CultureInfo.InvariantCulture), cancellationToken);
        return lockStream;
    }
}
