using System.Diagnostics;
using System.Globalization;

namespace StatusUpdates.NativeServers.Native;

internal static class ProcessTree
{
    /// <summary>Kills a process and all below it (SIGKILL). Children are listed before their parent dies, for then they lose it.</summary>
    /// <returns>What was killed. On a busy machine it takes a while to end.</returns>
    public static IReadOnlyList<ProcessIdentity> Kill(int pid)
    {
        List<ProcessIdentity> doomed = [];
        foreach (var each in (List<int>)[pid, .. Descendants(pid)])
        {
            if (ProcessIdentity.Of(each) is { } identity)
            {
                doomed.Add(identity);
                Posix.Signal(each, Posix.SigKill);
            }
        }

        return doomed;
    }

    /// <returns>The oldest child of a process, null if it has none.</returns>
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
            ?? throw new InvalidOperationException("ps cannot be started");
        while (ps.StandardOutput.ReadLine() is { } line)
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var pid, var parent])
            {
                yield return (int.Parse(pid, CultureInfo.InvariantCulture), int.Parse(parent, CultureInfo.InvariantCulture));
            }
        }
    }
}
