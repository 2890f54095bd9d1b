using System.Globalization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>Finds the process that listens on a TCP port. Linux only, and only if it may be inspected.</summary>
internal static class PortHolder
{
    private const string Listening = "0A";
    private static readonly string[] Tables = ["/proc/net/tcp", "/proc/net/tcp6"];

    /// <returns>"redis-server (process 123)", or null if it is unknown.</returns>
    public static string? Describe(int port)
    {
        // "  0: 0100007F:D430 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 12345 …": address, state, inode; proc_net(5).
        var sockets = (
            from table in Tables
            where File.Exists(table)
            from line in File.ReadLines(table).Skip(1)
            let fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            where fields.Length > 9 && fields[3] == Listening && fields[1].EndsWith($":{port:X4}", StringComparison.Ordinal)
            select $"socket:[{fields[9]}]").ToHashSet();
        return sockets.Count == 0 ? null : Directory.EnumerateDirectories("/proc").Select(folder => Match(folder, sockets)).FirstOrDefault(found => found is not null);
    }

    private static string? Match(string folder, HashSet<string> sockets)
    {
        if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
        {
            return null;
        }

        try
        {
            return Directory.EnumerateFiles(Path.Combine(folder, "fd")).Any(file => new FileInfo(file).LinkTarget is { } target && sockets.Contains(target))
                ? $"{File.ReadAllText(Path.Combine(folder, "comm")).Trim()} (process {pid})"
                : null;
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            return null; // Another user's process, or one that has just exited.
        }
    }
}
