using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

/// <summary>
/// AppHost.cs in this process, by Aspire's own testing library: native servers on free ports, a state directory of its own that is deleted with
/// it, and passwords and keys of its own, so that several run side by side and nobody's user secrets are read or written.
/// </summary>
internal sealed class TestAppHost : IAsyncDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    private readonly IDistributedApplicationTestingBuilder _builder;
    private DistributedApplication? _application;

    private TestAppHost(IDistributedApplicationTestingBuilder builder, string stateDirectory)
    {
        _builder = builder;
        StateDirectory = stateDirectory;
    }

    public string StateDirectory { get; }

    public IResourceCollection Resources => _builder.Resources;

    public DistributedApplication Application => _application ?? throw new InvalidOperationException("Not started.");

    /// <summary>The model, not started.</summary>
    public static async Task<TestAppHost> CreateAsync(CancellationToken cancellationToken, params string[] settings)
    {
        var state = Path.Combine(Path.GetTempPath(), $"status-updates-{Path.GetRandomFileName()}");
        return new TestAppHost(
            await DistributedApplicationTestingBuilder.CreateAsync<Projects.StatusUpdates_AppHost>([.. OwnSettings(state), .. settings], cancellationToken),
            state);
    }

    /// <summary>The application, with a healthy API.</summary>
    public static async Task<TestAppHost> StartAsync(CancellationToken cancellationToken, params string[] settings)
    {
        var host = await CreateAsync(cancellationToken, settings);
        try
        {
            await host.StartAsync(cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts what <see cref="CreateAsync"/> made, until its API is healthy.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _application = await _builder.BuildAsync(cancellationToken);
        await _application.StartAsync(cancellationToken);
        await _application.ResourceNotifications.WaitForResourceHealthyAsync("api", cancellationToken);
    }

    /// <summary>Asks the API itself until it says that it is healthy: Aspire's word may be older than what a test has just done.</summary>
    public async Task UntilHealthyAsync(CancellationToken cancellationToken)
    {
        using var client = Application.CreateHttpClient("api");
        while (!await IsHealthyAsync(client, cancellationToken))
        {
            await Task.Delay(Poll, cancellationToken);
        }
    }

    /// <summary>The process of a resource, or of one replica such as <c>worker-1</c>, once there is one and it is not that one.</summary>
    public async Task<int> ProcessIdAsync(string resource, CancellationToken cancellationToken, int notThat = 0)
    {
        while (true)
        {
            if (await EntryAsync(StateDirectory, resource, cancellationToken) is { } entry
                && entry.TryGetProperty("pid", out var pid) && pid.GetInt32() != notThat && ProcessIdentity.Of(pid.GetInt32()) is not null)
            {
                return pid.GetInt32();
            }

            await Task.Delay(Poll, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_application is not null)
        {
            await _application.DisposeAsync();
        }

        await _builder.DisposeAsync();
        ServerFolder.Delete(StateDirectory);
    }

    /// <summary>What resources.json says of a resource; null if it is not there.</summary>
    public static async Task<JsonElement?> EntryAsync(string stateDirectory, string resource, CancellationToken cancellationToken)
    {
        var file = Path.Combine(stateDirectory, "resources.json");
        if (!File.Exists(file))
        {
            return null;
        }

        using var resources = JsonDocument.Parse(await File.ReadAllTextAsync(file, cancellationToken));
        return resources.RootElement.TryGetProperty(resource, out var entry) ? entry.Clone() : null;
    }

    private static async Task<bool> IsHealthyAsync(HttpClient api, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await api.GetAsync(new Uri("/health", UriKind.Relative), cancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <summary>Settings, as arguments, that keep an app host apart from the developer's own.</summary>
    private static string[] OwnSettings(string stateDirectory) =>
    [
        "--NativeServers:Mode=Always",
        string.Create(CultureInfo.InvariantCulture, $"--NativeServers:StateDirectory={stateDirectory}"),
        $"--Parameters:postgres-password={Secret()}",
        $"--Parameters:redis-password={Secret()}",
        $"--Parameters:jwt-signing-key={Convert.ToBase64String(RandomNumberGenerator.GetBytes(48))}",

        // Whatever token stands in the environment of who runs the tests is not to be used by them.
        "--Parameters:telegram-bot-token=",
        "--TELEGRAM_BOT_TOKEN=",
    ];

    private static string Secret() => RandomNumberGenerator.GetHexString(24, lowercase: true);
}
