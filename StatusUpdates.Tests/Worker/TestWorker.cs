using System.Runtime.CompilerServices;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StatusUpdates.Data.Schema;
using StatusUpdates.ServiceDefaults.Health;
using StatusUpdates.Tests.Api;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;
using StatusUpdates.Worker.Retention;
using WorkerProgram = StatusUpdates.Worker.Program;

namespace StatusUpdates.Tests.Worker;

/// <summary>The worker itself, on a database and a channel prefix of the test's.</summary>
internal sealed class TestWorker : IAsyncDisposable
{
    private readonly IHost _host;
    private bool _isStopped;

    private TestWorker(IHost host) => _host = host;

    public RunningJobs Jobs => _host.Services.GetRequiredService<RunningJobs>();

    public LeaseHeartbeat Heartbeat => _host.Services.GetRequiredService<LeaseHeartbeat>();

    public CancelRequests CancelRequests => _host.Services.GetRequiredService<CancelRequests>();

    public RetentionService Retention => _host.Services.GetRequiredService<RetentionService>();

    /// <summary>Where it answers probes.</summary>
    public IReadOnlyCollection<string> ProbeAddresses => _host.Services.GetRequiredService<HealthListener>().Addresses;

    public string Owner => _host.Services.GetRequiredService<WorkerIdentity>().Owner;

    /// <summary>A running worker. Without a Redis it looks for one where none is.</summary>
    /// <param name="database">Where the queue is.</param>
    /// <param name="redis">Where updates are announced; null for a worker whose Redis is away.</param>
    /// <param name="provider">Does all tasks; null for the built-in ones.</param>
    /// <param name="settings">By key, over settings under which nothing happens by itself: hour-long leases and polls, no webhooks.</param>
    public static async Task<TestWorker> StartAsync(
        TestDatabase database, TestRedis? redis, IGenerationProvider? provider = null, params (string Key, string Value)[] settings)
    {
        var host = Build(database, redis, provider, settings);
        await host.StartAsync(TestTime.Token);
        return new(host);
    }

    /// <summary>As the other, with services of the test's own, which are registered first.</summary>
    public static async Task<TestWorker> StartWithAsync(
        TestDatabase database, TestRedis? redis, Action<IServiceCollection> services, params (string Key, string Value)[] settings)
    {
        var host = Build(database, redis, null, Environments.Development, settings, services);
        await host.StartAsync(TestTime.Token);
        return new(host);
    }

    public static IHost Build(
        TestDatabase database, TestRedis? redis, IGenerationProvider? provider, params (string Key, string Value)[] settings) =>
        Build(database, redis, provider, Environments.Development, settings);

    public static IHost Build(
        TestDatabase database, TestRedis? redis, IGenerationProvider? provider, string environment, (string Key, string Value)[] settings,
        Action<IServiceCollection>? services = null) => WorkerProgram.Build(
        new HostApplicationBuilderSettings
        {
            ApplicationName = typeof(WorkerProgram).Assembly.GetName().Name,
            ContentRootPath = ProjectFolder(),
            EnvironmentName = environment,
        },
        builder =>
        {
            builder.Logging.ClearProviders().AddProvider(new TestOutputLogging(TestContext.Current.TestOutputHelper));
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["ConnectionStrings:statusdb"] = database.ConnectionString,
                ["ConnectionStrings:redis"] = redis?.ConnectionString ?? "127.0.0.1:1,connectTimeout=100,connectRetry=0",
                ["StatusMessaging:ChannelPrefix"] = redis?.ChannelPrefix ?? "",
                ["StatusMessaging:SubscribeTimeout"] = redis is null ? "00:00:00.050" : "00:00:10",
                ["Worker:PollInterval"] = "00:10:00",
                ["Worker:Lease"] = "01:00:00",
                ["Worker:ProgressPerSecond"] = "0",
                ["Webhooks:Delivery:Enabled"] = "false",
                ["Worker:Providers:ProductCard:Duration"] = "00:00:00",
                ["Worker:Providers:Sora:Duration"] = "00:00:00",
                ["Worker:Providers:ChatProcessing:Duration"] = "00:00:00",
                ["Worker:Providers:ImageGeneration:Duration"] = "00:00:00",
            });
            builder.Configuration.AddInMemoryCollection(settings.Select(s => KeyValuePair.Create<string, string?>(s.Key, s.Value)));
            services?.Invoke(builder.Services);
            if (provider is not null)
            {
                foreach (var task in Enum.GetValues<GenerationTask>())
                {
                    builder.Services.AddKeyedSingleton(task, provider);
                }
            }
        });

    /// <summary>Stops as on SIGTERM: returns when the running generations are settled.</summary>
    public async Task StopAsync()
    {
        _isStopped = true;
        await _host.StopAsync(TestTime.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_isStopped)
        {
            await _host.StopAsync(CancellationToken.None);
        }

        _host.Dispose();
    }

    private static string ProjectFolder([CallerFilePath] string thisFile = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", "StatusUpdates.Worker"));
}
