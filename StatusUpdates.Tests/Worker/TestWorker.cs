using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;
using StatusUpdates.SampleProviders.Providers;
using StatusUpdates.ServiceDefaults.Health;
using StatusUpdates.Tests.Api;
using StatusUpdates.Worker;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;
using StatusUpdates.Worker.Retention;

namespace StatusUpdates.Tests.Worker;

/// <summary>The worker itself, on the test's database and channel prefix.</summary>
internal sealed class TestWorker : IAsyncDisposable
{
    private readonly IHost _host;
    private bool _isStopped;

    private TestWorker(IHost host) => _host = host;

    public RunningJobs Jobs => _host.Services.GetRequiredService<RunningJobs>();

    public LeaseHeartbeat Heartbeat => _host.Services.GetRequiredService<LeaseHeartbeat>();

    public CancelRequests CancelRequests => _host.Services.GetRequiredService<CancelRequests>();

    public RetentionService Retention => _host.Services.GetRequiredService<RetentionService>();

    /// <summary>The addresses at which the worker answers probes.</summary>
    public IReadOnlyCollection<string> ProbeAddresses => _host.Services.GetRequiredService<HealthListener>().Addresses;

    public string Owner => _host.Services.GetRequiredService<RunningJobs>().Owner;

    /// <summary>Starts a worker. Without Redis, it gets an address where nothing listens.</summary>
    /// <param name="database">The database with the queue.</param>
    /// <param name="redis">The Redis for announcements; null for a worker whose Redis is away.</param>
    /// <param name="provider">The provider for all tasks; null for the sample providers.</param>
    /// <param name="settings">By key; they override settings under which nothing happens by itself: long leases and polls, no webhooks.</param>
    public static Task<TestWorker> StartAsync(
        TestDatabase database, TestRedis? redis, IGenerationProvider? provider = null, params (string Key, string Value)[] settings) =>
        StartWithAsync(database, redis, builder => AddProviders(builder, provider), settings);

    /// <summary>Starts a worker without providers, except for those that the test adds.</summary>
    public static async Task<TestWorker> StartWithAsync(
        TestDatabase database, TestRedis? redis, Action<IHostApplicationBuilder> configure, params (string Key, string Value)[] settings)
    {
        var host = Build(database, redis, Environments.Development, settings, configure);
        await host.StartAsync(TestTime.Token);
        return new(host);
    }

    public static IHost Build(
        TestDatabase database, TestRedis? redis, IGenerationProvider? provider, params (string Key, string Value)[] settings) =>
        Build(database, redis, provider, Environments.Development, settings);

    public static IHost Build(
        TestDatabase database, TestRedis? redis, IGenerationProvider? provider, string environment, (string Key, string Value)[] settings) =>
        Build(database, redis, environment, settings, builder => AddProviders(builder, provider));

    private static IHost Build(
        TestDatabase database, TestRedis? redis, string environment, (string Key, string Value)[] settings,
        Action<IHostApplicationBuilder> configure) => WorkerProgram.Build(
        new HostApplicationBuilderSettings
        {
            ApplicationName = typeof(WorkerProgram).Assembly.GetName().Name,
            ContentRootPath = ProjectFolder(),
            EnvironmentName = environment,
        },
        builder =>
        {
            builder.Logging.ClearProviders().AddProvider(new TestOutputLogging(TestContext.Current.TestOutputHelper));
            builder.Set(new Dictionary<string, string?>
            {
                ["ConnectionStrings:statusdb"] = database.ConnectionString,
                ["ConnectionStrings:redis"] = redis?.ConnectionString ?? "127.0.0.1:1,connectTimeout=100,connectRetry=0",
                ["StatusMessaging:ChannelPrefix"] = redis?.ChannelPrefix ?? "",
                ["StatusMessaging:SubscribeTimeout"] = redis is null ? "00:00:00.050" : "00:00:10",
                ["Results:Folder"] = database.ResultsFolder,
                ["Worker:PollInterval"] = "00:10:00",
                ["Worker:Lease"] = "01:00:00",
                ["Worker:ProgressPerSecond"] = "0",
                ["Webhooks:Delivery:Enabled"] = "false",
                ["Worker:Providers:ProductCard"] = "00:00:00",
                ["Worker:Providers:Sora"] = "00:00:00",
                ["Worker:Providers:ChatProcessing"] = "00:00:00",
                ["Worker:Providers:ImageGeneration"] = "00:00:00",
            });
            builder.Set(settings);
            configure(builder);
        });

    private static void AddProviders(IHostApplicationBuilder builder, IGenerationProvider? provider)
    {
        if (provider is null)
        {
            builder.AddSampleProviders();
            return;
        }

        foreach (var task in GenerationTypes.Default.TaskNames)
        {
            builder.Services.AddKeyedSingleton(task, provider);
        }
    }

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
