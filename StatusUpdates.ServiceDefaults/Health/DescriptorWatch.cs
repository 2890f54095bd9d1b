using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.ServiceDefaults.Health;

/// <summary>How many file descriptors a process has open, and its limit (<c>RLIMIT_NOFILE</c>).</summary>
internal readonly record struct DescriptorUse(long Open, long Limit);

/// <summary>
/// Checks periodically how many file descriptors are left. At the limit no connection is accepted, and nothing reports it, not even Kestrel. From 90% on
/// the health is degraded, and one warning is logged. Without <c>/proc</c> the numbers are unknown and the check is healthy. Thread-safe.
/// </summary>
internal sealed partial class DescriptorWatch(Func<DescriptorUse?> read, TimeProvider time, ILogger<DescriptorWatch> logger) : BackgroundService, IHealthCheck
{
    public const string Name = "file descriptors";

    private const double WarningShare = 0.9;

    // Lower than the warning share: a number that fluctuates around one threshold would fill the log.
    private const double RecoveryShare = 0.8;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private volatile string? _trouble;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_trouble is { } trouble ? HealthCheckResult.Degraded(trouble) : HealthCheckResult.Healthy());

    /// <summary>Checks once.</summary>
    internal void Check()
    {
        if (read() is not { Limit: > 0 } use)
        {
            return;
        }

        var share = (double)use.Open / use.Limit;
        if (share < RecoveryShare)
        {
            _trouble = null;
        }
        else if (_trouble is not null || share >= WarningShare)
        {
            if (_trouble is null)
            {
                LogFull(use.Open, use.Limit);
            }

            _trouble = string.Create(CultureInfo.InvariantCulture, $"{use.Open} of {use.Limit} file descriptors are open.");
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            do
            {
                Check();
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    [LoggerMessage(6201, LogLevel.Warning,
        "{Open} of {Limit} file descriptors are open: at the limit no further connection is accepted. Raise it (ulimit -n, LimitNOFILE= of systemd), or spread the load")]
    private partial void LogFull(long open, long limit);
}

/// <summary>Counts the descriptors of this process from Linux's <c>/proc/self</c>. Not thread-safe.</summary>
internal sealed class ProcessDescriptors
{
    private const string LimitName = "Max open files";

    // errno values: EMFILE (the limit of the process) and ENFILE (the limit of the whole system).
    private const int TooManyInProcess = 24;
    private const int TooManyInSystem = 23;

    private long? _limit;

    /// <summary>Returns null if the numbers are not available.</summary>
    public DescriptorUse? Read()
    {
        try
        {
            _limit = LimitOf(File.ReadLines("/proc/self/limits"));
            return _limit is { } limit ? new(Directory.EnumerateFileSystemEntries("/proc/self/fd").LongCount(), limit) : null;
        }
        catch (IOException e) when (e.HResult is TooManyInProcess or TooManyInSystem)
        {
            // The check itself needs a descriptor.
            return _limit is { } limit ? new(limit, limit) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The soft limit of open files, from the lines of <c>/proc/self/limits</c> (proc(5)); null if there is none.</summary>
    public static long? LimitOf(IEnumerable<string> lines) =>
        lines.FirstOrDefault(line => line.StartsWith(LimitName, StringComparison.Ordinal)) is { } line
        && long.TryParse(line[LimitName.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(), CultureInfo.InvariantCulture, out var limit)
            ? limit
            : null;
}
