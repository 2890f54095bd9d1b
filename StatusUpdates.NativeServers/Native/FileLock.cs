namespace StatusUpdates.NativeServers.Native;

/// <summary>A lock that one holder has at a time, among all threads and processes of this machine. It ends with its holder's process at the latest.</summary>
internal static class FileLock
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>Waits for the lock. Dispose it to let it go; the file remains.</summary>
    /// <param name="file">The lock's file; its folder must exist.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<IDisposable> AcquireAsync(string file, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (File.Exists(file))
            {
                await Task.Delay(PollInterval, cancellationToken);
            }
        }
    }
}
