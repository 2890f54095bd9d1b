using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using StatusUpdates.ServiceDefaults.Health;

namespace StatusUpdates.Tests.Api;

public sealed class DescriptorWatchTests
{
    [Fact]
    public async Task From_ninety_percent_on_health_is_degraded_with_one_warning_until_use_falls_below_eighty()
    {
        using var logs = new CollectedLogs();
        using var factory = new LoggerFactory([logs]);
        DescriptorUse? use = null;
        using var watch = new DescriptorWatch(() => use, TimeProvider.System, factory.CreateLogger<DescriptorWatch>());
        foreach (var (open, status, lines) in new[]
        {
            (0, HealthStatus.Healthy, 0),
            (899, HealthStatus.Healthy, 0),
            (900, HealthStatus.Degraded, 1),
            (1000, HealthStatus.Degraded, 1),
            (850, HealthStatus.Degraded, 1),
            (799, HealthStatus.Healthy, 1),
            (899, HealthStatus.Healthy, 1),
            (950, HealthStatus.Degraded, 2),
        })
        {
            use = new(open, 1000);
            watch.Check();
            Assert.Equal((open, status), (open, (await watch.CheckHealthAsync(new HealthCheckContext(), TestTime.Token)).Status));
            Assert.Equal((open, lines), (open, logs.Lines.Count(line => line.StartsWith("Warning", StringComparison.Ordinal))));
        }

        // An unknown count changes nothing.
        use = null;
        watch.Check();
        Assert.Equal("950 of 1000 file descriptors are open.", (await watch.CheckHealthAsync(new HealthCheckContext(), TestTime.Token)).Description);
    }

    [Theory]
    [InlineData("Max open files            1024                 1048576              files     ", 1024L)]
    [InlineData("Max open files            unlimited            unlimited            files     ", null)]
    [InlineData("Max open files", null)]
    [InlineData("Max locked memory         8388608              8388608              bytes     ", null)]
    public void The_soft_limit_is_the_first_number(string line, long? limit) =>
        Assert.Equal(limit, ProcessDescriptors.LimitOf(["Limit                     Soft Limit           Hard Limit           Units     ", line]));

    [Fact]
    public void A_process_counts_its_own_descriptors()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "There is no /proc here.");
        var descriptors = new ProcessDescriptors();
        var files = Enumerable.Range(0, 200).Select(_ => File.OpenHandle("/proc/self/limits")).ToList();

        var use = descriptors.Read()!.Value;
        files.ForEach(file => file.Dispose());

        Assert.InRange(use.Open, 200, use.Limit);
    }
}
