using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.ServiceDefaults.Health;

/// <summary>How many file descriptors a process has open, and how many it may have (<c>RLIMIT_NOFILE</c>).</summary>
internal readonly record struct DescriptorUse(long Open, long Limit);

/// <summary>
/// Looks now and then at how many file descriptors are left. At the limit no connection is accepted, and nothing says so: not even Kestrel. From 90 % on the
/// health is degraded, and it stands in the log once. Where there is no <c>/proc</c>, nothing is known and all is well. Thread-safe.
/// </summary>
internal sealed partial class DescriptorWatch(Func<DescriptorUse?> read, TimeProvider time, ILogger<DescriptorWatch> logger) : BackgroundService, IHealthCheck
{
    public const string Name = "file descriptors";

    private const double Full = 0.9;

    // It is over only when there is some room again, so that a number that goes to and fro does not fill the log.
    private const double RoomAgain = 0.8;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private volatile string? _trouble;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_trouble is { } trouble ? HealthCheckResult.Degraded(trouble) : HealthCheckResult.Healthy());

    /// <summary>Looks once.</summary>
    internal void Look()
    {
        if (read() is not { Limit: > 0 } use)
        {
            return;
        }

        var share = (double)use.Open / use.Limit;
        if (share < RoomAgain)
        {
            _trouble = null;
        }
        else if (_trouble is not null || share >= Full)
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
                Look();
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    [LoggerMessage(6201, LogLevel.Warning,
        "{Open} of {Limit} file descriptors are open: at the limit no further connection is accepted. Raise it (ulimit -n, LimitNOFILE= of systemd), or share the load")]
    private partial void LogFull(long open, long limit);
}

/// <summary>Counts the descriptors of this process, by Linux's <c>/proc/self</c>. One caller at a time.</summary>
internal sealed class ProcessDescriptors
{
    private const string LimitName = "Max open files";

    // Errors of the system, by number (errno): of the process, of the whole machine.
    private const int TooManyInProcess = 24;
    private const int TooManyInSystem = 23;

    private long? _limit;

    /// <summary>Null where this cannot be known.</summary>
    public DescriptorUse? Read()
    {
        try
        {
            _limit = LimitOf(File.ReadLines("/proc/self/limits"));
            return _limit is { } limit ? new(Directory.EnumerateFileSystemEntries("/proc/self/fd").LongCount(), limit) : null;
        }
        catch (IOException e) when (e.HResult is TooManyInProcess or TooManyInSystem)
        {
            // Looking takes a descriptor as well.
            return _limit is { } limit ? new(limit, limit) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The soft limit of open files in the lines of <c>/proc/self/limits</c> (proc(5)); null if there is none.</summary>
    public static long? LimitOf(IEnumerable<string> lines) =>
        lines.FirstOrDefault(line => line.StartsWith(LimitName, StringComparison.Ordinal)) is { } line
        && long.TryParse(line[LimitName.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(), CultureInfo.InvariantCulture, out var limit)
            ? limit
            : null;
}
