using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

/// <summary>
/// AppHost.cs in this process, run by Aspire's testing library: native servers on free ports, its own state directory (deleted with it), and
/// its own passwords and keys. Several can run side by side, and no one's user secrets are read or written.
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

    /// <summary>Creates the model without starting it.</summary>
    public static async Task<TestAppHost> CreateAsync(CancellationToken cancellationToken, params string[] settings)
    {
        var state = Path.Combine(Path.GetTempPath(), $"status-updates-{Path.GetRandomFileName()}");
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.StatusUpdates_AppHost>(
            [.. OwnSettings(state), .. settings], cancellationToken);
        builder.Services.ConfigureHttpClientDefaults(http => http.AddHttpMessageHandler(() => new RepeatedReads()));
        return new TestAppHost(builder, state);
    }

    /// <summary>Starts the application and returns when its API is healthy.</summary>
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

    /// <summary>Starts the model of <see cref="CreateAsync"/> and returns when its API is healthy.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _application = await _builder.BuildAsync(cancellationToken);
        await _application.StartAsync(cancellationToken);
        await _application.ResourceNotifications.WaitForResourceHealthyAsync("api", cancellationToken);
    }

    /// <summary>Polls the API itself until it is healthy: the state in Aspire may be older than what a test has just done.</summary>
    public async Task UntilHealthyAsync(CancellationToken cancellationToken)
    {
        using var client = Application.CreateHttpClient("api");
        while (!await IsHealthyAsync(client, cancellationToken))
        {
            await Task.Delay(Poll, cancellationToken);
        }
    }

    /// <summary>The process id of a resource, or of a replica such as <c>worker-1</c>, once it is not <paramref name="otherThan"/>.</summary>
    public async Task<int> ProcessIdAsync(string resource, CancellationToken cancellationToken, int otherThan = 0)
    {
        while (true)
        {
            if (await EntryAsync(StateDirectory, resource, cancellationToken) is { } entry
                && entry.TryGetProperty("pid", out var pid) && pid.GetInt32() != otherThan && ProcessIdentity.Of(pid.GetInt32()) is not null)
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

    /// <summary>The entry of a resource in resources.json; null if there is none.</summary>
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

    /// <summary>Settings, as arguments, that keep this app host separate from the developer's own.</summary>
    private static string[] OwnSettings(string stateDirectory) =>
    [
        "--NativeServers:Mode=Always",
        string.Create(CultureInfo.InvariantCulture, $"--NativeServers:StateDirectory={stateDirectory}"),
        $"--Parameters:postgres-password={Secret()}",
        $"--Parameters:redis-password={Secret()}",
        $"--Parameters:jwt-signing-key={Convert.ToBase64String(RandomNumberGenerator.GetBytes(48))}",

        // A bot token in the environment of the person who runs the tests must not be used.
        "--Parameters:telegram-bot-token=",
        "--TELEGRAM_BOT_TOKEN=",
    ];

    private static string Secret() => RandomNumberGenerator.GetHexString(24, lowercase: true);

    /// <summary>
    /// Repeats a GET whose answer is 503 after its <c>Retry-After</c>, as clients do: on a machine that is busy for seconds, the API may not get
    /// a connection to its database in time.
    /// </summary>
    private sealed class RepeatedReads : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            while (true)
            {
                var response = await base.SendAsync(request, cancellationToken);
                if (request.Method != HttpMethod.Get || response.StatusCode != HttpStatusCode.ServiceUnavailable || response.Headers.RetryAfter?.Delta is not { } delay)
                {
                    return response;
                }

                response.Dispose();
                await Task.Delay(delay, cancellationToken);
            }
        }
    }
}
