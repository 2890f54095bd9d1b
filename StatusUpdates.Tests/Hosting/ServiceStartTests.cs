using System.Globalization;
using System.Net;
using System.Net.Sockets;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Bot;
using StatusUpdates.Tests.Scenarios;

namespace StatusUpdates.Tests.Hosting;

/// <summary>Starts the programs as an operator does, with something wrong.</summary>
public sealed class ServiceStartTests(TestServers servers)
{
    private const string Api = "StatusUpdates.Api";
    private const string Worker = "StatusUpdates.Worker";
    private const string Bot = "StatusUpdates.Bot";

    private static CancellationToken Token => TestTime.Token;

    public static TheoryData<string, string, string?, string> Wrong => new()
    {
        { Api, "ConnectionStrings:statusdb", null, "ConnectionStrings:statusdb is not set. It is an Npgsql connection string" },
        { Api, "RateLimits:User:Burst", "0", "RateLimits:User:Burst must be between 1 and 10000000." },
        { Api, "ConnectionStrings:redis", "h:1,nonsense=1", "ConnectionStrings:redis is not a valid StackExchange.Redis configuration" },
        { Api, "ForwardedHeaders:KnownNetworks:0", "10.0.0.0", "ForwardedHeaders:KnownNetworks:0 must be networks in CIDR notation" },
        { Api, "Results:Folder", null, "start: Results:Folder or Results:S3:Bucket must be set: the place of results larger than 256 KiB" },
        { Worker, "ConnectionStrings:statusdb", "Host=h;Passwort=hush", "ConnectionStrings:statusdb must be an Npgsql connection string" },
        { Worker, "Results:PublicBaseUrl", null, "start: Results:PublicBaseUrl must be an absolute http or https address" },
        { Worker, "Results:Folder", null, "start: Results:Folder or Results:S3:Bucket must be set: the place of results larger than 256 KiB" },
        { Worker, "Results:Folder", "/nowhere/results", "start: Results:Folder: there is no folder /nowhere/results. Create or mount it" },
        { Worker, "Worker:Concurrency", "many", "'Worker:Concurrency'" },
        { Worker, "DataProtection:Certificate:Path", "/nowhere/keys.p12", "DataProtection:Certificate:Path: there is no file /nowhere/keys.p12." },
        { Worker, "HTTP_PORTS", "http", "HTTP_PORTS must be ports between 0 and 65535" },
        { Bot, "Telegram:Token", "hush", "start: Telegram:Token must be a bot's token as @BotFather gives it" },
        { Bot, "Results:Folder", "results", "start: Results:Folder must be an absolute path" },
        { Bot, "ASPNETCORE_URLS", "https://*:8443", "ASPNETCORE_URLS must be http addresses" },
    };

    [Long]
    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task A_start_with_a_wrong_setting_ends_with_one_line_that_names_it(string program, string key, string? value, string reason)
    {
        await using var redis = await servers.ConnectRedisAsync();
        var database = await servers.CreateDatabaseAsync(Token);
        await using (database)
        {
            AssertOneLine(program, reason, await RunAsync(program, new(SettingsOf(program, database, redis)) { [key] = value }));
        }
    }

    [Theory]
    [InlineData(Api)]
    [InlineData(Worker)]
    [InlineData(Bot)]
    public async Task A_start_without_a_database_ends_after_the_startup_timeout_with_one_line_that_names_the_database_and_its_address(string program)
    {
        var port = LoopbackPort.FindFree();
        await using var redis = await servers.ConnectRedisAsync();
        await using var database = await servers.CreateDatabaseAsync(Token);
        var result = await RunAsync(program, new(SettingsOf(program, database, redis))
        {
            ["ConnectionStrings:statusdb"] = string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={port};Database=absent;Username=u"),
            ["StatusDatabase:StartupTimeout"] = "00:00:00.300",
        });
        AssertOneLine(program, $"The database \"absent\" at 127.0.0.1:{port} was not ready within StatusDatabase:StartupTimeout (00:00:00.3000000).", result);
    }

    [Long]
    [Theory]
    [InlineData(Api)]
    [InlineData(Worker)]
    public async Task A_start_on_a_port_in_use_ends_with_one_line_that_names_it(string program)
    {
        await using var redis = await servers.ConnectRedisAsync();
        await using var database = await servers.CreateDatabaseAsync(Token);
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var url = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)taken.LocalEndpoint).Port}");
        AssertOneLine(
            program,
            $"Failed to bind to address {url}: address already in use.",
            await RunAsync(program, new(SettingsOf(program, database, redis)) { ["ASPNETCORE_URLS"] = url }));
    }

    [Long]
    [Fact]
    public async Task The_details_of_a_failed_start_are_logged_at_Debug()
    {
        await using var redis = await servers.ConnectRedisAsync();
        await using var database = await servers.CreateDatabaseAsync(Token);
        var result = await RunAsync(Worker, new(SettingsOf(Worker, database, redis))
        {
            ["Results:PublicBaseUrl"] = "nowhere",
            ["Logging:LogLevel:Microsoft.Extensions.Hosting"] = "Debug",
        });
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("Hosting failed to start", result.Output, StringComparison.Ordinal);
        Assert.Contains("   at ", result.Output, StringComparison.Ordinal);
    }

    private static void AssertOneLine(string program, string reason, (int ExitCode, string Output, string Error) result)
    {
        Assert.Equal(1, result.ExitCode);
        var line = Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith($"{program} did not start: ", line, StringComparison.Ordinal);
        Assert.Contains(reason, line, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("fail:", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("crit:", result.Output, StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(string program, Dictionary<string, string?> settings)
    {
        await using var process = new ChildProcess($"{program}.dll", settings);
        return await process.RunAsync();
    }

    // The settings that each program needs in Production.
    private static Dictionary<string, string?> SettingsOf(string program, TestDatabase database, TestRedis redis) =>
        new(TestTokens.Settings)
        {
            ["DOTNET_ENVIRONMENT"] = "Production",
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["ASPNETCORE_URLS"] = program == Api ? "http://127.0.0.1:0" : null,
            ["ConnectionStrings:statusdb"] = database.ConnectionString,
            ["ConnectionStrings:redis"] = redis.ConnectionString,
            ["StatusMessaging:ChannelPrefix"] = redis.ChannelPrefix,
            ["Results:PublicBaseUrl"] = "https://status.example.com",
            ["Results:Folder"] = database.ResultsFolder,
            ["Telegram:Token"] = FakeTelegram.Token,
            ["Telegram:BaseUrl"] = "http://127.0.0.1:1",
        };
}
