using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// Stops what an earlier owner of a server's folder left running. Guards make that rare: it takes the death of the guard itself, or a start
/// in the seconds in which a guard is still stopping its server.
/// </summary>
internal static class LeftoverServer
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    // Postgres writes the second it started in; the process's own start may be rounded to the one before.
    private static readonly TimeSpan StartTolerance = TimeSpan.FromSeconds(5);

    public static async Task StopAsync(string stateFile, IReadOnlyList<StopStep> steps, CancellationToken cancellationToken)
    {
        if (await ReadStateAsync(stateFile, cancellationToken) is not { } state)
        {
            return;
        }

        // The child first: its guard then ends by itself, and must not be cut off while it does.
        await StopAsync(state.Child, steps, cancellationToken);
        await StopAsync(state.Guard, [new StopStep(Posix.SigTerm, TimeSpan.FromSeconds(2))], cancellationToken);
        File.Delete(stateFile);
    }

    /// <summary>
    /// The postmaster of a data folder, if it lives: postmaster.pid holds its id, and in the third line the Unix second of its start
    /// (PostgreSQL documentation, "Database File Layout"). A lock file whose process is another one by now is removed, as it would
    /// keep Postgres from starting if the id was recycled by the same user.
    /// </summary>
    public static async Task StopPostmasterAsync(string dataDirectory, IReadOnlyList<StopStep> steps, CancellationToken cancellationToken)
    {
        var lockFile = Path.Combine(dataDirectory, PostmasterFile.Name);
        if (PostmasterFile.Read(dataDirectory) is not { } postmaster || ProcessIdentity.Of(postmaster.Pid) is not { } process)
        {
            return; // None, or a stale file that Postgres itself recognises.
        }

        using var found = Process.GetProcessById(postmaster.Pid);
        var isPostgres = found.ProcessName.StartsWith("postgres", StringComparison.Ordinal);
        if (isPostgres && (found.StartTime.ToUniversalTime() - postmaster.StartedAt.UtcDateTime).Duration() <= StartTolerance)
        {
            await StopAsync(process, steps, cancellationToken);
        }
        else if (!isPostgres)
        {
            File.Delete(lockFile);
        }
    }

    private static async Task StopAsync(ProcessIdentity process, IReadOnlyList<StopStep> steps, CancellationToken cancellationToken)
    {
        if (process.IsAlive)
        {
            // No child of ours, so its end is polled for.
            await Guard.StopAsync(process.Pid, UntilGoneAsync(process, cancellationToken), steps);
        }
    }

    private static async Task UntilGoneAsync(ProcessIdentity process, CancellationToken cancellationToken)
    {
        while (process.IsAlive)
        {
            await Task.Delay(Poll, cancellationToken);
        }
    }

    private static async Task<GuardState?> ReadStateAsync(string stateFile, CancellationToken cancellationToken)
    {
        try
        {
            return JsonSerializer.Deserialize(await File.ReadAllTextAsync(stateFile, cancellationToken), GuardJson.Default.GuardState);
        }
        catch (Exception none) when (none is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}

/// <summary>What postmaster.pid says: lines 1, 3 and 8.</summary>
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
        catch (Exception none) when (none is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }

        // While Postgres writes it, the file may be short.
        return lines.Length >= 3
            && int.TryParse(lines[0], NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
            && long.TryParse(lines[2], NumberStyles.None, CultureInfo.InvariantCulture, out var started)
            ? new PostmasterFile(pid, DateTimeOffset.FromUnixTimeSeconds(started), lines.Length >= 8 && lines[7].Trim() == "ready")
            : null;
    }
}
