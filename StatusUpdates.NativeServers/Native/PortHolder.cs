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
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        var wanted = Tables
            .Where(File.Exists)
            .SelectMany(table => File.ReadLines(table).Skip(1))
            .Select(line => InodeOf(line, port))
            .OfType<string>()
            .Select(inode => $"socket:[{inode}]")
            .ToHashSet();
        return wanted.Count == 0 ? null : Directory.EnumerateDirectories("/proc").Select(folder => Match(folder, wanted)).FirstOrDefault(found => found is not null);
    }

    // "  0: 0100007F:D430 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 12345 …": address, state, inode; proc_net(5).
    private static string? InodeOf(string line, int port)
    {
        var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 9
            && fields[3] == Listening
            && int.Parse(fields[1].AsSpan(fields[1].LastIndexOf(':') + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture) == port
            ? fields[9]
            : null;
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
