using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using StatusUpdates.Api.Security;
using StatusUpdates.Api.Security.Bearer;
using StatusUpdates.Api.Security.DevTokens;

namespace StatusUpdates.Tests.Api;

public sealed class ConfigurationTests
{
    private const string Bearer = "Authentication:Schemes:Bearer";
    private const string Key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

    private static CancellationToken Token => TestTime.Token;

    public static TheoryData<string, string?[]> Unsafe => new()
    {
        { $"{Bearer}:Authority", [] },
        { $"{Bearer}:SigningKeys:0:Value", ["ValidAudiences:0=a"] },
        { $"{Bearer}:SigningKeys:0:Issuer", ["ValidAudiences:0=a", "ValidIssuer=i", "SigningKeys:0:Issuer=other", $"SigningKeys:0:Value={Key}"] },
        { $"{Bearer}:SigningKeys:0:Value", ["ValidAudiences:0=a", "ValidIssuer=i", "SigningKeys:0:Issuer=i", "SigningKeys:0:Value=not base64"] },
        { "32 bytes", ["ValidAudiences:0=a", "ValidIssuer=i", "SigningKeys:0:Issuer=i", "SigningKeys:0:Value=c2hvcnQ="] },
        { $"{Bearer}:ValidAudiences:0", ["ValidIssuer=i", "SigningKeys:0:Issuer=i", $"SigningKeys:0:Value={Key}"] },
        { $"{Bearer}:ValidAudiences:0", ["Authority=https://login.test"] },
        { $"{Bearer}:SigningKeys:1:Value", ["ValidAudiences:0=a", "ValidIssuer=i", "SigningKeys:0:Issuer=i", $"SigningKeys:0:Value={Key}", "SigningKeys:1:Issuer=i", "SigningKeys:1:Value=?"] },
        { $"{Bearer}:SigningKeys:1:Issuer", ["ValidAudiences:0=a", "ValidIssuer=i", "SigningKeys:0:Issuer=i", $"SigningKeys:0:Value={Key}", "SigningKeys:1:Issuer=j", $"SigningKeys:1:Value={Key}"] },
        { $"{Bearer}:Authority and {Bearer}:SigningKeys:0:Value are both set", ["ValidAudiences:0=a", "Authority=https://login.test", "ValidIssuer=i", "SigningKeys:0:Issuer=i", $"SigningKeys:0:Value={Key}"] },
        { $"{Bearer}:Authority and {Bearer}:SigningKeys:0:Value are both set", ["ValidAudiences:0=a", "MetadataAddress=https://login.test/oidc", "ValidIssuer=i", "SigningKeys:0:Issuer=i", $"SigningKeys:0:Value={Key}"] },
        { "RequireHttpsMetadata", ["ValidAudiences:0=a", "Authority=http://login.test"] },
        { $"{Bearer}:Authority must be an absolute https address", ["ValidAudiences:0=a", "Authority=login.test", "RequireHttpsMetadata=false"] },
    };

    [Theory]
    [MemberData(nameof(Unsafe))]
    public async Task A_start_that_would_admit_anybody_or_nobody_fails_and_says_what_to_set(string named, string?[] settings)
    {
        var error = await StartErrorAsync(settings.Select(s => s!.Split('=', 2)).ToDictionary(s => $"{Bearer}:{s[0]}", s => (string?)s[1]));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("RateLimits:User:Burst", "0")]
    [InlineData("RateLimits:Address:PermitsPerSecond", "-1")]
    [InlineData("Gateway:Connections:MaxConnections", "0")]
    [InlineData("StatusLog:Lanes", "0")]
    public async Task A_setting_out_of_range_fails_the_start_with_an_error_that_names_its_key_and_range(string key, string value)
    {
        var error = await StartErrorAsync(new(TestTokens.Settings) { [key] = value });
        Assert.Contains(key, error.Message, StringComparison.Ordinal);
        Assert.Contains("between", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("RateLimits:User:Brust", "RateLimits:User:Brust is not a setting; those of RateLimits:User are Burst, PermitsPerSecond.")]
    [InlineData("Gateway:Feeds:PageSize", "Gateway:Feeds:PageSize is not a setting; those of Gateway:Feeds are UpdatesWithoutSeq.")]
    [InlineData("Webhooks:Delivery:RetryDelays:0", "Webhooks:Delivery:RetryDelays is not a setting; those of Webhooks:Delivery are AddressInFlight, Enabled, UserInFlight.")]
    [InlineData("DevToken:Lifetime", "DevToken:Lifetime is not a setting.")]
    [InlineData("Gateway:WebSocket:PingInterval", "Gateway:WebSocket:PingInterval is not a setting.")]
    public async Task A_key_that_is_not_a_setting_fails_the_start_with_an_error_that_names_those_that_are(string key, string message)
    {
        var error = await StartErrorAsync(new(TestTokens.Settings) { [key] = "00:00:01" });
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_Development_one_generated_secret_is_enough_for_authentication()
    {
        // A generated secret of letters and digits is valid base64 if its length is a multiple of four.
        await using var app = TestApi.Build("Development", builder => builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            [$"{Bearer}:SigningKeys:0:Value"] = string.Concat(Enumerable.Repeat("aZ09", 16)),
            ["ConnectionStrings:statusdb"] = "Host=127.0.0.1;Port=1",
            ["ConnectionStrings:redis"] = "127.0.0.1:1",
        }));
        var token = app.Services.GetRequiredService<DevTokenIssuer>().Issue("user-1").Token;
        var read = await app.Services.GetRequiredService<AccessTokenValidator>().ValidateAsync(token, Token);
        Assert.Equal("user-1", read?.UserId);
    }

    [Fact]
    public async Task While_keys_are_rotated_tokens_of_both_are_accepted_and_the_first_key_signs()
    {
        const string NewKey = "OTg3NjU0MzIxMDk4NzY1NDMyMTA5ODc2NTQzMjEwOTg=";
        Dictionary<string, string?> Settings(params string[] keys) => new(keys.SelectMany<string, KeyValuePair<string, string?>>((key, index) =>
            [new($"{Bearer}:SigningKeys:{index}:Issuer", "i"), new($"{Bearer}:SigningKeys:{index}:Value", key)]))
        {
            [$"{Bearer}:ValidIssuer"] = "i",
            [$"{Bearer}:ValidAudiences:0"] = "a",
            ["ConnectionStrings:statusdb"] = "Host=127.0.0.1;Port=1",
            ["ConnectionStrings:redis"] = "127.0.0.1:1",
        };
        await using var before = TestApi.Build("Development", builder => builder.Configuration.AddInMemoryCollection(Settings(Key)));
        await using var during = TestApi.Build("Development", builder => builder.Configuration.AddInMemoryCollection(Settings(NewKey, Key)));
        await using var after = TestApi.Build("Development", builder => builder.Configuration.AddInMemoryCollection(Settings(NewKey)));

        var old = before.Services.GetRequiredService<DevTokenIssuer>().Issue("user-1").Token;
        var recent = during.Services.GetRequiredService<DevTokenIssuer>().Issue("user-1").Token;

        Assert.Equal((true, false), await AreAcceptedAsync(before));
        Assert.Equal((true, true), await AreAcceptedAsync(during));
        Assert.Equal((false, true), await AreAcceptedAsync(after));

        async Task<(bool Old, bool Recent)> AreAcceptedAsync(WebApplication app)
        {
            var validator = app.Services.GetRequiredService<AccessTokenValidator>();
            return (await validator.ValidateAsync(old, Token) is not null, await validator.ValidateAsync(recent, Token) is not null);
        }
    }

    [Fact]
    public async Task A_start_without_a_database_fails_with_an_error_that_names_the_key()
    {
        var error = await StartErrorAsync(new(TestTokens.Settings) { ["ConnectionStrings:statusdb"] = null });
        Assert.Contains("ConnectionStrings:statusdb", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Redis_without_settings_is_an_error_that_names_them()
    {
        using var host = RedisHost([]);
        var error = Assert.Throws<OptionsValidationException>(() => host.Services.GetRequiredService<IConnectionMultiplexer>());
        Assert.Contains("ConnectionStrings:redis", error.Message, StringComparison.Ordinal);
        Assert.Contains("REDIS_HOST", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("redis.test", null, null, "Unspecified/redis.test:6379", null)]
    [InlineData("redis.test", "7000", "p,w=d, 1", "Unspecified/redis.test:7000", "p,w=d, 1")]
    [InlineData("::1", "7000", "", "[::1]:7000", null)]
    public void The_REDIS_settings_configure_the_connection(string host, string? port, string? password, string endpoint, string? expected)
    {
        using var built = RedisHost(new() { ["REDIS_HOST"] = host, ["REDIS_PORT"] = port, ["REDIS_PASSWORD"] = password });
        var options = built.Services.GetRequiredService<IOptions<ConfigurationOptions>>().Value;
        Assert.Equal(endpoint, Assert.Single(options.EndPoints).ToString());
        Assert.Equal(expected, options.Password);
        Assert.False(options.AbortOnConnectFail);
    }

    [Fact]
    public void A_connection_string_wins_over_the_REDIS_settings_and_keeps_everything_it_sets()
    {
        using var built = RedisHost(new()
        {
            ["ConnectionStrings:redis"] = "a.test:1,b.test:2,password=x=y,ssl=true",
            ["REDIS_HOST"] = "c.test",
            ["REDIS_PASSWORD"] = "other",
        });
        var options = built.Services.GetRequiredService<IOptions<ConfigurationOptions>>().Value;
        Assert.Equal((2, "x=y", true), (options.EndPoints.Count, options.Password, options.Ssl));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("65536")]
    [InlineData("port")]
    public void An_invalid_port_is_an_error_that_names_its_key(string port)
    {
        var error = Assert.Throws<InvalidOperationException>(() => RedisHost(new() { ["REDIS_HOST"] = "h", ["REDIS_PORT"] = port }));
        Assert.Contains("REDIS_PORT", error.Message, StringComparison.Ordinal);
    }

    private static IHost RedisHost(Dictionary<string, string?> settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(settings);
        builder.AddServiceDefaults();
        builder.AddRedisClient("redis");
        return builder.Build();
    }

    private static async Task<Exception> StartErrorAsync(Dictionary<string, string?> settings)
    {
        // Nothing listens at these addresses. Settings are checked before the database is used; the Redis client tries to connect when it is created.
        var error = await Record.ExceptionAsync(async () =>
        {
            await using var app = TestApi.Build("Production", builder => builder.Configuration.AddInMemoryCollection(
                new Dictionary<string, string?>
                {
                    ["ConnectionStrings:statusdb"] = "Host=127.0.0.1;Port=1",
                    ["ConnectionStrings:redis"] = "127.0.0.1:1,connectTimeout=1",
                    ["Results:Folder"] = Path.GetTempPath(),
                    ["Results:PublicBaseUrl"] = "https://status.example.com",
                }.Concat(settings).GroupBy(pair => pair.Key).Select(pairs => pairs.Last())));
            await app.StartAsync(Token);
        });
        return error ?? throw new InvalidOperationException("The start did not fail.");
    }
}
