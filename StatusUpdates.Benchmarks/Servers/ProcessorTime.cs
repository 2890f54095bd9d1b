using System.Diagnostics;
using System.Globalization;

namespace StatusUpdates.Benchmarks.Servers;

/// <summary>
/// Processor time of processes, in seconds. On Linux from <c>/proc</c> (proc(5)), in steps of a hundredth; elsewhere from .NET, which does not
/// include children.
/// </summary>
internal static class ProcessorTime
{
    // USER_HZ, which is 100 on every architecture that .NET supports.
    private const double TicksPerSecond = 100;

    // Indexes of fields of /proc/PID/stat, counted after the name in parentheses.
    private const int Utime = 11;
    private const int Stime = 12;
    private const int ChildUtime = 13;
    private const int ChildStime = 14;

    public static double Own()
    {
        using var process = Process.GetCurrentProcess();
        return process.TotalProcessorTime.TotalSeconds;
    }

    public static double Of(int processId)
    {
        if (OperatingSystem.IsLinux())
        {
            return Read(processId, Utime, Stime);
        }

        using var process = Process.GetProcessById(processId);
        return process.TotalProcessorTime.TotalSeconds;
    }

    /// <summary>For a server that forks for its sessions: includes its running children and those that have exited.</summary>
    public static double OfTree(int processId)
    {
        if (!OperatingSystem.IsLinux())
        {
            return Of(processId);
        }

        var sum = Read(processId, Utime, Stime, ChildUtime, ChildStime);
        foreach (var child in File.ReadAllText($"/proc/{processId}/task/{processId}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            try
            {
                sum += Read(int.Parse(child, CultureInfo.InvariantCulture), Utime, Stime);
            }
            catch (IOException)
            {
                // It has just exited: the next reading includes it among the exited children.
            }
        }

        return sum;
    }

    /// <summary>All processors together, without idle time; 0 if the operating system does not report it.</summary>
    public static double OfMachine()
    {
        if (!OperatingSystem.IsLinux())
        {
            return 0;
        }

        // user nice system idle iowait irq softirq steal; user already includes guests.
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..]
            .Select(field => double.Parse(field, CultureInfo.InvariantCulture)).ToArray();
        return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / TicksPerSecond;
    }

    private static double Read(int processId, params ReadOnlySpan<int> fields)
    {
        var stat = File.ReadAllText($"/proc/{processId}/stat");
        var values = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        var sum = 0.0;
        foreach (var field in fields)
        {
            sum += double.Parse(values[field], CultureInfo.InvariantCulture);
        }

        return sum / TicksPerSecond;
    }
}
