using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using StackExchange.Redis;
using StatusUpdates.Tests.EndToEnd;
using StatusUpdates.Tests.Hosting;

[assembly: AssemblyFixture(typeof(RunningSystem))]

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>
/// The whole system as AppHost.cs describes it, started once, on first use. Tests share it, each with its own users;
/// a test that kills something uses <see cref="BreakableSystem"/>.
/// </summary>
public sealed class RunningSystem : IAsyncDisposable
{
    private readonly Lazy<Task<TestAppHost>> _started = new(() => TestAppHost.StartAsync(CancellationToken.None));

    /// <summary>An API client with a token for this user.</summary>
    public async Task<ApiUser> SignInAsync(string userId, CancellationToken cancellationToken)
    {
        var app = (await HostAsync()).Application;
        var http = app.CreateHttpClient("api");
        var answer = await http.PostAsJsonAsync("/api/v1/dev/token", new { userId }, cancellationToken);
        var token = (await Data(answer, cancellationToken)).GetProperty("token").GetString()!;
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return new ApiUser(userId, token, http);
    }

    /// <summary>The app host, for tests that do not change it.</summary>
    internal Task<TestAppHost> HostAsync() => _started.Value;

    /// <summary>The API's address.</summary>
    public async Task<Uri> AddressAsync()
    {
        using var http = (await HostAsync()).Application.CreateHttpClient("api");
        return http.BaseAddress!;
    }

    /// <summary>The Redis connection settings for a program outside the system.</summary>
    public async Task<ConfigurationOptions> RedisAsync()
    {
        var app = (await HostAsync()).Application;
        return ConfigurationOptions.Parse((await app.GetConnectionStringAsync("redis"))!);
    }

    public async ValueTask DisposeAsync()
    {
        if (_started.IsValueCreated)
        {
            await (await _started.Value).DisposeAsync();
        }
    }

    /// <summary>The <c>data</c> of a successful response.</summary>
    internal static async Task<JsonElement> Data(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var text = await answer.Content.ReadAsStringAsync(cancellationToken);
        Assert.True(answer.IsSuccessStatusCode, $"{(int)answer.StatusCode}: {text}");
        using var json = JsonDocument.Parse(text);
        Assert.True(json.RootElement.GetProperty("success").GetBoolean());
        return json.RootElement.GetProperty("data").Clone();
    }
}

/// <summary>A user of the API.</summary>
public sealed record ApiUser(string UserId, string Token, HttpClient Http)
{
    public Uri WebSocketAddress => new UriBuilder(Http.BaseAddress!) { Scheme = "ws", Path = "/ws/status" }.Uri;

    /// <summary>Submits a generation and returns its id.</summary>
    public async Task<string> SubmitAsync(string type, string prompt, CancellationToken cancellationToken)
    {
        var answer = await Http.PostAsJsonAsync("/api/v1/generations", new { type, prompt }, cancellationToken);
        return (await RunningSystem.Data(answer, cancellationToken)).GetProperty("id").GetString()!;
    }
}
