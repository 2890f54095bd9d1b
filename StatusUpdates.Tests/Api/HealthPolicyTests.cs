using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Tests.Api;

/// <summary>The health policy, which applies whoever registers the checks. The names here are those that the real Aspire integrations use.</summary>
public sealed class HealthPolicyTests
{
    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData("StackExchange.Redis", null, HealthStatus.Degraded)]
    [InlineData("StackExchange.Redis_cache", null, HealthStatus.Degraded)]
    [InlineData("redis", null, HealthStatus.Degraded)]
    [InlineData("cache", "redis", HealthStatus.Degraded)]
    [InlineData("StatusDbContext", null, HealthStatus.Unhealthy)]
    public async Task A_Redis_failure_is_degraded_and_any_other_failure_is_unhealthy(string name, string? tag, HealthStatus expected)
    {
        using var host = Build(checks => checks.Add(new HealthCheckRegistration(
            name, new Check((_, _) => throw new InvalidOperationException("away")), null, tag is null ? null : [tag])));
        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token);
        Assert.Equal(expected, report.Status);
    }

    [Fact]
    public async Task A_check_that_ignores_its_token_runs_once_for_all_callers_and_blocks_none_of_them()
    {
        var never = new TaskCompletionSource<HealthCheckResult>();
        var runs = 0;
        using var host = Build(checks => checks.Add(new HealthCheckRegistration(
            "StackExchange.Redis",
            new Check((_, _) =>
            {
                Interlocked.Increment(ref runs);
                return never.Task;
            }),
            null,
            null)));
        var health = host.Services.GetRequiredService<HealthCheckService>();
        var reports = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => health.CheckHealthAsync(Token)));
        Assert.All(reports, report => Assert.Equal(HealthStatus.Degraded, report.Status));
        Assert.Equal(1, runs);

        never.SetResult(HealthCheckResult.Healthy());
    }

    [Fact]
    public async Task A_dependency_that_recovers_is_healthy_at_the_next_check()
    {
        var away = true;
        using var host = Build(checks => checks.Add(new HealthCheckRegistration(
            "StatusDbContext",
            new Check((context, _) => Task.FromResult(away ? new HealthCheckResult(context.Registration.FailureStatus) : HealthCheckResult.Healthy())),
            null,
            null)));
        var health = host.Services.GetRequiredService<HealthCheckService>();
        Assert.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync(Token)).Status);
        away = false;
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync(Token)).Status);
    }

    private static IHost Build(Action<IHealthChecksBuilder> add)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.AddServiceDefaults();
        add(builder.Services.AddHealthChecks());
        return builder.Build();
    }

    private sealed class Check(Func<HealthCheckContext, CancellationToken, Task<HealthCheckResult>> check) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            check(context, cancellationToken);
    }
}
