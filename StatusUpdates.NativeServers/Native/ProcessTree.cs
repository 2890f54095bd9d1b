using System.Diagnostics;
using System.Globalization;

namespace StatusUpdates.NativeServers.Native;

internal static class ProcessTree
{
    /// <summary>Kills a process and all its descendants (SIGKILL). They are listed before the kill, which changes the parent of the children.</summary>
    /// <returns>The killed processes. On a busy machine they may take a while to exit.</returns>
    public static IReadOnlyList<ProcessIdentity> Kill(int pid)
    {
        List<ProcessIdentity> killed = [];
        foreach (var each in (List<int>)[pid, .. Descendants(pid)])
        {
            if (ProcessIdentity.Of(each) is { } identity)
            {
                killed.Add(identity);
                Posix.Signal(each, Posix.SigKill);
            }
        }

        return killed;
    }

    /// <returns>The child with the lowest process id; null if there is none.</returns>
    public static int? FirstChild(int pid) => Parents().Where(pair => pair.Parent == pid).Select(pair => (int?)pair.Pid).Min();

    public static List<int> Descendants(int pid)
    {
        var children = Parents().ToLookup(pair => pair.Parent, pair => pair.Pid);
        List<int> found = [];
        var open = new Queue<int>([pid]);
        while (open.TryDequeue(out var next))
        {
            foreach (var child in children[next])
            {
                found.Add(child);
                open.Enqueue(child);
            }
        }

        return found;
    }

    private static IEnumerable<(int Pid, int Parent)> Parents()
    {
        if (OperatingSystem.IsLinux())
        {
            foreach (var folder in Directory.EnumerateDirectories("/proc"))
            {
                if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && ProcStat.Read(pid) is { } stat)
                {
                    yield return (pid, stat.ParentPid);
                }
            }

            yield break;
        }

        using var ps = Process.Start(new ProcessStartInfo("ps", ["-axo", "pid=,ppid="]) { RedirectStandardOutput = true })
            ?? throw new InvalidOperationException("ps could not be started.");
        while (ps.StandardOutput.ReadLine() is { } line)
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var pid, var parent])
            {
                yield return (int.Parse(pid, CultureInfo.InvariantCulture), int.Parse(parent, CultureInfo.InvariantCulture));
            }
        }
    }
}
