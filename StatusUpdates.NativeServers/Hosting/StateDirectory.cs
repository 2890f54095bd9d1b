using System.Globalization;
using Aspire.Hosting;

namespace StatusUpdates.NativeServers.Hosting;

/// <summary>The folder that holds the servers' folders, for one run at a time: a lock keeps others out until it is disposed or the process ends.</summary>
internal sealed class StateDirectory : IDisposable
{
    private const UnixFileMode Passable = // The servers' own accounts pass through to their folders, and see nothing on the way.
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly FileStream _lock;

    private StateDirectory(FileStream held) => _lock = held;

    /// <exception cref="DistributedApplicationException">Another run holds the folder; the message has its process id.</exception>
    public static async Task<StateDirectory> OpenAsync(string path, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(path, Passable);
        var file = Path.Combine(path, "lock");

        // Not in the lock file itself: who does not hold the lock cannot read that.
        var holder = Path.Combine(path, "lock.pid");
        FileStream held;
        try
        {
            held = new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(file))
        {
            var who = File.Exists(holder) ? $" (process {await File.ReadAllTextAsync(holder, cancellationToken)})" : "";
            throw new DistributedApplicationException(
                $"Another run{who} keeps its servers in {path}. Stop that run first, or set {NativeServerSettings.Section}__StateDirectory to another folder.");
        }

        await File.WriteAllTextAsync(holder, Environment.ProcessId.ToString(CultureInfo.InvariantCulture), cancellationToken);
        return new StateDirectory(held);
    }

    public void Dispose() => _lock.Dispose();
}
