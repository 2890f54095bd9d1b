using System.Buffers.Text;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;

namespace StatusUpdates.Tests.Conformance;

/// <summary>
/// The server under test: <c>STATUSUPDATES_BASE_URL</c>, else the whole system as AppHost.cs describes it. Users are made by development
/// tokens, so that each test has its own; where a server makes none, tests take turns with the tokens of <c>STATUSUPDATES_TOKENS</c>.
/// </summary>
internal sealed class ConformanceTarget(RunningSystem system)
{
    private const string DevToken = "/api/v1/dev/token";

    private static readonly string? BaseUrl = Environment.GetEnvironmentVariable("STATUSUPDATES_BASE_URL");
    private static readonly string[] Tokens = Environment.GetEnvironmentVariable("STATUSUPDATES_TOKENS")?.Split(',', StringSplitOptions.TrimEntries) ?? [];

    // Those that wait for tokens wait in turn, so that no two hold a part of what both need.
    private static readonly SemaphoreSlim Turn = new(1);
    private static readonly Channel<string> Pool = PoolOf(Tokens);

    private static CancellationToken Token => TestTime.Token;

    public async Task<Uri> AddressAsync() => BaseUrl is { Length: > 0 } given ? new Uri(given) : await system.AddressAsync();

    /// <summary>A client without a credential.</summary>
    public async Task<HttpClient> AnonymousAsync() => new() { BaseAddress = await AddressAsync() };

    /// <summary>A user. Dispose it: that leaves it at rest.</summary>
    public async Task<ConformanceUser> UserAsync() => (await UsersAsync(1))[0];

    /// <summary>Different users.</summary>
    public async Task<ConformanceUser[]> UsersAsync(int count)
    {
        var address = await AddressAsync();
        if (Tokens.Length == 0)
        {
            var fresh = new ConformanceUser[count];
            for (var i = 0; i < count; i++)
            {
                var userId = $"conformance-{Guid.NewGuid():N}";
                fresh[i] = new(address, userId, await IssueAsync(userId));
            }

            return fresh;
        }

        Assert.SkipWhen(Tokens.Length < count, $"STATUSUPDATES_TOKENS has fewer than {count} tokens.");
        await Turn.WaitAsync(Token);
        try
        {
            var rented = new ConformanceUser[count];
            for (var i = 0; i < count; i++)
            {
                var token = await Pool.Reader.ReadAsync(Token);
                rented[i] = new(address, SubjectOf(token), token, () => Pool.Writer.TryWrite(token));
            }

            return rented;
        }
        finally
        {
            Turn.Release();
        }
    }

    /// <summary>Another token of a user, where the server makes them; else the one it has.</summary>
    public async Task<string> FreshTokenAsync(ConformanceUser user) => Tokens.Length == 0 ? await IssueAsync(user.UserId) : user.Token;

    private async Task<string> IssueAsync(string userId)
    {
        using var http = await AnonymousAsync();
        using var response = await http.PostAsJsonAsync(DevToken, new { userId }, Token);
        return (string)(await response.DataAsync())["token"]!;
    }

    private static Channel<string> PoolOf(string[] tokens)
    {
        var pool = Channel.CreateBounded<string>(new BoundedChannelOptions(Math.Max(1, tokens.Length)) { FullMode = BoundedChannelFullMode.Wait });
        foreach (var token in tokens)
        {
            pool.Writer.TryWrite(token);
        }

        return pool;
    }

    private static string SubjectOf(string token) => (string)JsonNode.Parse(Base64Url.DecodeFromChars(token.Split('.')[1]))!["sub"]!;
}
