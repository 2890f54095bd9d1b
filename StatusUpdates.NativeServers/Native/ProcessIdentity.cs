using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Serialization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// A process id with the start time of the process, which distinguishes it from an earlier process with the same id.
/// </summary>
/// <param name="Pid">The process id.</param>
/// <param name="StartMark">Linux: clock ticks since boot, which clock changes do not affect; elsewhere: UTC ticks.</param>
internal readonly record struct ProcessIdentity(int Pid, long StartMark)
{
    [JsonIgnore]
    public bool IsAlive => Of(Pid) == this;

    /// <summary>For a process that is not a child of this one, hence polled.</summary>
    public async Task WaitForExitAsync(TimeSpan pollInterval, CancellationToken cancellationToken)
    {
        while (IsAlive)
        {
            await Task.Delay(pollInterval, cancellationToken);
        }
    }

    /// <returns>Null if there is no such process, or only a zombie.</returns>
    public static ProcessIdentity? Of(int pid)
    {
        if (OperatingSystem.IsLinux())
        {
            return ProcStat.Read(pid) is { IsZombie: false } stat ? new ProcessIdentity(pid, stat.StartTicks) : null;
        }

        try
        {
            using var process = Process.GetProcessById(pid);
            return new ProcessIdentity(pid, process.StartTime.ToUniversalTime().Ticks);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
        {
            return null;
        }
    }
}

/// <summary>The fields of <c>/proc/PID/stat</c> that are used here; see proc_pid_stat(5).</summary>
internal readonly record struct ProcStat(int ParentPid, bool IsZombie, long StartTicks)
{
    public static ProcStat? Read(int pid)
    {
        string text;
        try
        {
            text = File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/stat");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        // The second field, the command in parentheses, may contain any character: parse from the last parenthesis on.
        var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        return new ProcStat(
            int.Parse(fields[1], CultureInfo.InvariantCulture),
            fields[0] is "Z" or "X",
            long.Parse(fields[19], CultureInfo.InvariantCulture));
    }
}
