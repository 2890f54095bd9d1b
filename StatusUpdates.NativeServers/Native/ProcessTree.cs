using System.Diagnostics;
using System.Globalization;

namespace StatusUpdates.NativeServers.Native;

internal static class ProcessTree
{
    /// <summary>Kills a process and all its descendants (SIGKILL). They are listed before the kill, which changes the parent of the children.</summary>
    /// <returns>The killed processes. On a busy machine they may take a while to exit.</returns>
    public static List<ProcessIdentity> Kill(int pid)
    {
        List<ProcessIdentity> processes = [.. Of(pid).Select(ProcessIdentity.Of).OfType<ProcessIdentity>()];
        processes.ForEach(process => Posix.Signal(process.Pid, Posix.SigKill));
        return processes;
    }

    /// <returns>The child with the lowest process id; null if there is none.</returns>
    public static int? FirstChild(int pid) => Parents().Where(pair => pair.Parent == pid).Select(pair => (int?)pair.Pid).Min();

    /// <returns>The process and all its descendants.</returns>
    public static List<int> Of(int pid)
    {
        var children = Parents().ToLookup(pair => pair.Parent, pair => pair.Pid);
        List<int> tree = [pid];
        for (var next = 0; next < tree.Count; next++)
        {
            tree.AddRange(children[tree[next]]);
        }

        return tree;
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
