using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// Stops a server that an earlier owner of its folder left running. Guards make this rare: it happens only if the guard itself died, or if the
/// next start comes while a guard is still stopping its server.
/// </summary>
internal static class LeftoverServer
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    // Postgres writes its start time in seconds; the start time of the process may be rounded to the previous second.
    private static readonly TimeSpan StartTolerance = TimeSpan.FromSeconds(5);

    public static async Task StopAsync(string stateFile, IReadOnlyList<StopStep> steps, CancellationToken cancellationToken)
    {
        if (await ReadStateAsync(stateFile, cancellationToken) is not { } state)
        {
            return;
        }

        // The child first: its guard then exits by itself, and gets time to do so.
        await StopAsync(state.Child, steps, cancellationToken);
        await StopAsync(state.Guard, [new StopStep(Posix.SigTerm, TimeSpan.FromSeconds(2))], cancellationToken);
        File.Delete(stateFile);
    }

    /// <summary>
    /// Stops the postmaster of a data folder, if it is running: postmaster.pid has its process id and, in the third line, the Unix time of its
    /// start (PostgreSQL documentation, "Database File Layout"). If that process id now belongs to another program, the lock file is deleted,
    /// because it would prevent Postgres from starting if the program runs as the same user.
    /// </summary>
    public static async Task StopPostmasterAsync(string dataDirectory, IReadOnlyList<StopStep> steps, CancellationToken cancellationToken)
    {
        if (PostmasterFile.Read(dataDirectory) is not { } postmaster || ProcessIdentity.Of(postmaster.Pid) is not { } process)
        {
            return; // Not running, or a stale file that Postgres itself detects.
        }

        using var found = Process.GetProcessById(postmaster.Pid);
        if (!found.ProcessName.StartsWith("postgres", StringComparison.Ordinal))
        {
            File.Delete(Path.Combine(dataDirectory, PostmasterFile.Name));
        }
        else if ((found.StartTime.ToUniversalTime() - postmaster.StartedAt.UtcDateTime).Duration() <= StartTolerance)
        {
            await StopAsync(process, steps, cancellationToken);
        }
    }

    private static Task StopAsync(ProcessIdentity process, IReadOnlyList<StopStep> steps, CancellationToken cancellationToken) =>
        Guard.StopAsync(process.Pid, process.WaitForExitAsync(PollInterval, cancellationToken), steps);

    private static async Task<GuardState?> ReadStateAsync(string stateFile, CancellationToken cancellationToken)
    {
        try
        {
            return JsonSerializer.Deserialize(await File.ReadAllTextAsync(stateFile, cancellationToken), GuardJson.Default.GuardState);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}

/// <summary>The content of postmaster.pid: lines 1, 3 and 8.</summary>
internal sealed record PostmasterFile(int Pid, DateTimeOffset StartedAt, bool IsReady)
{
    public const string Name = "postmaster.pid";

    public static PostmasterFile? Read(string dataDirectory)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(Path.Combine(dataDirectory, Name));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }

        // The file may be incomplete while Postgres writes it.
        return lines.Length >= 3
            && int.TryParse(lines[0], NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
            && long.TryParse(lines[2], NumberStyles.None, CultureInfo.InvariantCulture, out var started)
            ? new PostmasterFile(pid, DateTimeOffset.FromUnixTimeSeconds(started), lines.Length >= 8 && lines[7].Trim() == "ready")
            : null;
    }
}
