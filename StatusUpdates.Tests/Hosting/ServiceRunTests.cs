using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.ServiceDefaults.Hosting;

namespace StatusUpdates.Tests.Hosting;

public sealed class ServiceRunTests
{
    [Fact]
    public async Task A_requested_stop_exits_with_0() =>
        Assert.Equal(0, await ServiceRun.RunAsync(() => HostWith(lifetime => lifetime.ApplicationStarted.Register(lifetime.StopApplication))));

    [Fact]
    public async Task A_requested_stop_while_the_service_still_starts_exits_with_0() =>
        Assert.Equal(0, await ServiceRun.RunAsync(() => HostWith(lifetime => lifetime.StopApplication())));

    [Fact]
    public async Task A_background_service_that_fails_exits_with_1_so_that_the_service_is_restarted() =>
        Assert.Equal(1, await ServiceRun.RunAsync(() => HostWith(_ => { }, services => services.AddHostedService<Failing>())));

    [Fact]
    public async Task A_failure_during_the_stop_is_not_reported_as_a_failed_start_and_not_hidden() => await Assert.ThrowsAsync<AggregateException>(
        () => ServiceRun.RunAsync(() => HostWith(
            lifetime => lifetime.ApplicationStarted.Register(lifetime.StopApplication),
            services => services.AddHostedService<FailingToStop>().AddHostedService<AlsoFailingToStop>())));

    [Fact]
    public void All_causes_are_on_one_line_and_none_appears_twice() => Assert.Equal(
        "It failed: no connection Connection refused on two lines The other failed",
        ServiceRun.Explain(new AggregateException(
            new InvalidOperationException("It failed:\n no connection", new InvalidOperationException("No connection", new IOException("Connection refused\r\non two lines"))),
            new InvalidOperationException("The other failed"))));

    private static IHost HostWith(Action<IHostApplicationLifetime> act, Action<IServiceCollection>? configure = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.AddServiceDefaults();
        configure?.Invoke(builder.Services);
        var host = builder.Build();
        act(host.Services.GetRequiredService<IHostApplicationLifetime>());
        return host;
    }

    private sealed class Failing : BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.FromException(new InvalidOperationException("A fault."));
    }

    private class FailingToStop : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.FromException(new InvalidOperationException("It did not stop."));
    }

    private sealed class AlsoFailingToStop : FailingToStop;
}
