using System.Text.Json;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;

namespace StatusUpdates.Tests.Client.JavaScript;

/// <summary>A program in Node.js that watches by <c>status-updates.js</c>: see <c>watch.mjs</c>.</summary>
internal sealed class JavaScriptWatch : IAsyncDisposable
{
    private readonly NodeProgram _program;
    private readonly List<JsonElement> _lines = [];

    private JavaScriptWatch(NodeProgram program) => _program = program;

    private static CancellationToken Token => TestTime.Token;

    /// <summary>All that was said so far.</summary>
    public IReadOnlyList<JsonElement> Lines => _lines;

    /// <summary>Every change of the connection that was told of so far.</summary>
    public IEnumerable<JsonElement> States => _lines.Where(line => line.TryGetProperty("state", out _));

    /// <param name="options">What <c>watch.mjs</c> takes.</param>
    public static async Task<JavaScriptWatch> StartAsync(object options) =>
        new(await NodeProgram.StartAsync("watch.mjs", null, JsonSerializer.Serialize(options)));

    public static Task<JavaScriptWatch> StartAsync(TestApi api, string userId, long? since = null, int? port = null, bool socket = true) =>
        StartAsync(new { baseUrl = Base(api, port), token = TestTokens.Create(userId), since, socket, random = 0.01 });

    public static Uri Base(TestApi api, int? port = null) => new UriBuilder(api.Address) { Port = port ?? api.Address.Port }.Uri;

    /// <summary>The next line that has this member. What is said before it is kept; an end that comes instead fails the test.</summary>
    public async Task<JsonElement> NextAsync(string member)
    {
        while (true)
        {
            var line = await _program.NextAsync(Token);
            _lines.Add(line);
            if (line.TryGetProperty(member, out _))
            {
                return line;
            }

            Assert.False(line.TryGetProperty("failed", out _) || line.TryGetProperty("ended", out _), $"Before {member} came: {line}");
        }
    }

    /// <summary>Waits until the connection is in this state.</summary>
    public async Task<JsonElement> StateAsync(string state, string? transport = null)
    {
        while (true)
        {
            var line = await NextAsync("state");
            if (line.GetProperty("state").GetString() == state
                && (transport is null || line.GetProperty("transport").GetString() == transport))
            {
                return line;
            }
        }
    }

    /// <summary>The next item, as the client gave it.</summary>
    public async Task<JsonElement> ItemAsync() => (await NextAsync("item")).GetProperty("item");

    /// <summary>The seqs of that many items, all of them updates.</summary>
    public async Task<IReadOnlyList<long>> SeqsAsync(int count)
    {
        var seqs = new long[count];
        for (var i = 0; i < count; i++)
        {
            var item = await ItemAsync();
            Assert.True(item.GetProperty("type").GetString() == "update", item.ToString());
            seqs[i] = item.GetProperty("update").GetProperty("seq").GetInt64();
        }

        return seqs;
    }

    /// <summary>Answers the program's question for a fresh token.</summary>
    public Task GiveTokenAsync(string? token) => _program.SayAsync(JsonSerializer.Serialize(new { token }));

    /// <summary>Lets the consumer handle that many more items.</summary>
    public Task LetTakeAsync(int count) => _program.SayAsync(JsonSerializer.Serialize(new { take = count }));

    /// <summary>Moves the clock, of a program that was given a manual one.</summary>
    public Task AdvanceAsync(double milliseconds) => _program.SayAsync(JsonSerializer.Serialize(new { advance = milliseconds }));

    /// <summary>Waits until the program has done what it was told to so far.</summary>
    public async Task SettleAsync()
    {
        await _program.SayAsync("""{"echo":true}""");
        await NextAsync("echo");
    }

    /// <summary>Stops by the signal, and gives what the program still had to say.</summary>
    public async Task<IReadOnlyList<JsonElement>> StopAsync()
    {
        await _program.SayAsync("""{"stop":true}""");
        return await _program.RestAsync(Token);
    }

    public ValueTask DisposeAsync() => _program.DisposeAsync();
}
