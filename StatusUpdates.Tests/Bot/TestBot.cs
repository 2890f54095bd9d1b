using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StatusUpdates.ServiceDefaults.Health;
using StatusUpdates.Tests.Api;
using BotProgram = StatusUpdates.Bot.Program;

namespace StatusUpdates.Tests.Bot;

/// <summary>The real bot, on the database, channel prefix and fake Telegram of a test.</summary>
internal sealed class TestBot : IAsyncDisposable
{
    private readonly IHost _host;
    private bool _isStopped;

    private TestBot(IHost host) => _host = host;

    /// <summary>The addresses at which it answers probes.</summary>
    public IReadOnlyCollection<string> ProbeAddresses => _host.Services.GetRequiredService<HealthListener>().Addresses;

    public static async Task<TestBot> StartAsync(
        TestDatabase database, TestRedis redis, Uri telegram, Action<IHostApplicationBuilder>? configure, params (string Key, string Value)[] settings)
    {
        var host = Build(database, redis, telegram, configure, settings);
        await host.StartAsync(TestTime.Token);
        return new(host);
    }

    /// <summary>Builds it without starting it.</summary>
    public static IHost Build(
        TestDatabase database, TestRedis redis, Uri telegram, Action<IHostApplicationBuilder>? configure, params (string Key, string Value)[] settings) =>
        BotProgram.Build(
            new HostApplicationBuilderSettings
            {
                ApplicationName = typeof(BotProgram).Assembly.GetName().Name,
                ContentRootPath = ProjectFolder(),
                EnvironmentName = Environments.Development,
            },
            builder =>
            {
                builder.Logging.ClearProviders().AddProvider(new TestOutputLogging(TestContext.Current.TestOutputHelper));
                builder.Set(SettingsOf(database, redis, telegram));
                builder.Set(settings);
                configure?.Invoke(builder);
            });

    /// <summary>Settings without rate limits (0 is none) or long waits.</summary>
    public static Dictionary<string, string?> SettingsOf(TestDatabase database, TestRedis redis, Uri telegram) => new(TestSettings.Of(database, redis))
    {
        ["Telegram:Token"] = FakeTelegram.Token,
        ["Telegram:BaseUrl"] = telegram.GetLeftPart(UriPartial.Authority),
        ["Telegram:MessagesPerSecond"] = "0",
        ["Telegram:ChatMessagesPerSecond"] = "0",
        ["Telegram:GroupMessagesPerSecond"] = "0",
        ["Telegram:RetryBackOff"] = "00:00:00.020",
        ["Telegram:StandbyInterval"] = "00:00:00.100",
        ["Cursors:SweepInterval"] = "00:00:00.050",
    };

    /// <summary>Stops it as SIGTERM does.</summary>
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

    // Where the bot's appsettings.json is.
    private static string ProjectFolder([CallerFilePath] string thisFile = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", "StatusUpdates.Bot"));
}
