using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StatusUpdates.NativeServers.Native;
using ApiProgram = StatusUpdates.Api.Program;

namespace StatusUpdates.Tests.Api;

/// <summary>The real API on Kestrel at a free port, with its own database and channel prefix.</summary>
internal sealed class TestApi : IAsyncDisposable
{
    private readonly List<HttpClient> _clients = [];

    private readonly bool _ownsServers;

    private TestApi(WebApplication app, TestDatabase database, TestRedis redis, bool ownsServers)
    {
        _ownsServers = ownsServers;
        App = app;
        Database = database;
        Redis = redis;
        Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        Anonymous = CreateClient(null);
    }

    public WebApplication App { get; }

    public TestDatabase Database { get; }

    public TestRedis Redis { get; }

    public Uri Address { get; }

    /// <summary>A client without a token.</summary>
    public HttpClient Anonymous { get; }

    /// <summary>
    /// Every endpoint of the app, as method and path, with <c>{parameters}</c> filled in. CONNECT is left out: HTTP/2 uses it to
    /// open the WebSocket of a GET endpoint.
    /// </summary>
    public IEnumerable<(string Method, string Path, RouteEndpoint Endpoint)> Endpoints =>
        from source in App.Services.GetServices<EndpointDataSource>()
        from endpoint in source.Endpoints.OfType<RouteEndpoint>()
        from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET"]
        where method != "CONNECT"
        select (method, PathOf(endpoint), endpoint);

    public static async Task<TestApi> StartAsync(
        TestServers servers,
        IReadOnlyDictionary<string, string?>? settings = null,
        string environment = "Development",
        Action<WebApplicationBuilder>? configure = null,
        Action<WebApplication>? map = null,
        RedisFlavor flavor = RedisFlavor.Auto)
    {
        var token = TestTime.Token;
        var database = await servers.CreateDatabaseAsync(token);
        var redis = await servers.ConnectRedisAsync(flavor);
        return await StartAsync(database, redis, ownsServers: true, settings, environment, configure, map);
    }

    /// <summary>The API over the test's own servers, which outlive it.</summary>
    public static Task<TestApi> StartAsync(
        TestDatabase database, TestRedis redis, IReadOnlyDictionary<string, string?>? settings = null, Action<WebApplicationBuilder>? configure = null) =>
        StartAsync(database, redis, ownsServers: false, settings, "Development", configure, map: null);

    /// <summary>Another instance over this one's database and Redis. Dispose it before this one.</summary>
    /// <param name="address">The address to listen on; null for a free port.</param>
    /// <param name="settings">As in StartAsync.</param>
    /// <param name="configure">As in StartAsync.</param>
    public Task<TestApi> StartAnotherAsync(
        Uri? address = null, IReadOnlyDictionary<string, string?>? settings = null, Action<WebApplicationBuilder>? configure = null) =>
        StartAsync(
            Database,
            Redis,
            ownsServers: false,
            settings,
            "Development",
            builder =>
            {
                if (address is not null)
                {
                    builder.WebHost.UseUrls(address.GetLeftPart(UriPartial.Authority));
                }

                configure?.Invoke(builder);
            },
            map: null);

    private static async Task<TestApi> StartAsync(
        TestDatabase database,
        TestRedis redis,
        bool ownsServers,
        IReadOnlyDictionary<string, string?>? settings,
        string environment,
        Action<WebApplicationBuilder>? configure,
        Action<WebApplication>? map)
    {
        var app = Build(
            environment,
            builder =>
            {
                builder.Configuration.AddInMemoryCollection(TestTokens.Settings);
                builder.Set(new Dictionary<string, string?>(TestSettings.Of(database, redis))
                {
                    // Messages that are not in the log only reach subscribers, so even a slow machine must have time to subscribe.
                    ["StatusMessaging:SubscribeTimeout"] = "00:00:20",
                    ["Results:PublicBaseUrl"] = "https://status.example.com",
                    ["Gateway:Feeds:SubscribeWait"] = "00:00:10",

                    // Tests submit as fast as they can.
                    ["RateLimits:Submissions:PermitsPerSecond"] = "100000",
                    ["RateLimits:Submissions:Burst"] = "100000",
                });
                builder.Set(settings ?? new Dictionary<string, string?>());
                configure?.Invoke(builder);
            });
        map?.Invoke(app);
        await app.StartAsync(TestTime.Token);
        return new(app, database, redis, ownsServers);
    }

    /// <summary>The API with nothing configured except the address to listen on.</summary>
    public static WebApplication Build(string environment, Action<WebApplicationBuilder> configure) => ApiProgram.Build(
        new WebApplicationOptions
        {
            ApplicationName = typeof(ApiProgram).Assembly.GetName().Name,
            ContentRootPath = ProjectFolder(),
            EnvironmentName = environment,
        },
        builder =>
        {
            builder.WebHost.UseUrls(LoopbackPort.FindFreeAddress().GetLeftPart(UriPartial.Authority));
            builder.Logging.ClearProviders().AddProvider(new TestOutputLogging(TestContext.Current.TestOutputHelper));
            configure(builder);
        });

    /// <summary>A client that sends a token for this user.</summary>
    public HttpClient As(string userId) => CreateClient(TestTokens.Create(userId));

    public HttpClient CreateClient(string? token)
    {
        var client = HttpClients.Create(Address);
        if (token is not null)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        _clients.Add(client);
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            client.Dispose();
        }

        await App.StopAsync(CancellationToken.None);
        await App.DisposeAsync();
        if (_ownsServers)
        {
            await Redis.DisposeAsync();
            await Database.DisposeAsync();
        }
    }

    private static string PathOf(RouteEndpoint endpoint) => "/" + string.Join('/', endpoint.RoutePattern.PathSegments.Select(
        segment => segment.IsSimple && segment.Parts[0].IsParameter ? "gen-0" : string.Concat(segment.Parts.Select(PartOf))));

    private static string PartOf(Microsoft.AspNetCore.Routing.Patterns.RoutePatternPart part) =>
        part is Microsoft.AspNetCore.Routing.Patterns.RoutePatternLiteralPart literal ? literal.Content : "v1";

    private static string ProjectFolder([CallerFilePath] string thisFile = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", "StatusUpdates.Api"));
}
