using System.Buffers.Text;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;

namespace StatusUpdates.Tests.Conformance;

/// <summary>
/// The server under test: <c>STATUSUPDATES_BASE_URL</c>, or else one of the tests' own. Each test gets its own users
/// through development tokens; if the server issues none, tests share the pool of tokens in <c>STATUSUPDATES_TOKENS</c>.
/// </summary>
/// <param name="ownAddress">The address of the tests' own server.</param>
internal sealed class ConformanceTarget(Func<Task<Uri>> ownAddress)
{
    private const string DevToken = "/api/v1/dev/token";

    private static readonly string? BaseUrl = Environment.GetEnvironmentVariable("STATUSUPDATES_BASE_URL");
    private static readonly string[] Tokens = Environment.GetEnvironmentVariable("STATUSUPDATES_TOKENS")?.Split(',', StringSplitOptions.TrimEntries) ?? [];

    // Only one test at a time takes tokens, so that no two each hold a part of the tokens that both need (a deadlock).
    private static readonly SemaphoreSlim RentLock = new(1);
    private static readonly Channel<string> Pool = PoolOf(Tokens);

    /// <summary>By default, the whole system as AppHost.cs describes it.</summary>
    public ConformanceTarget(RunningSystem system)
        : this(system.AddressAsync)
    {
    }

    private static CancellationToken Token => TestTime.Token;

    public async Task<Uri> AddressAsync() => BaseUrl is { Length: > 0 } url ? new Uri(url) : await ownAddress();

    /// <summary>A client without a credential.</summary>
    public async Task<HttpClient> AnonymousAsync() => new() { BaseAddress = await AddressAsync() };

    /// <summary>A user. Disposing it cancels its generations and returns its token to the pool.</summary>
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
        await RentLock.WaitAsync(Token);
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
            RentLock.Release();
        }
    }

    /// <summary>Another token of the user if the server issues them, otherwise the current one.</summary>
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
