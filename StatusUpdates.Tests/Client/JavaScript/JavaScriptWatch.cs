using System.Text.Json;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;

namespace StatusUpdates.Tests.Client.JavaScript;

/// <summary>A Node.js program, <c>watch.mjs</c>, that watches with <c>status-updates.js</c>.</summary>
internal sealed class JavaScriptWatch : IAsyncDisposable
{
    private readonly NodeProgram _program;
    private readonly List<JsonElement> _lines = [];

    private JavaScriptWatch(NodeProgram program) => _program = program;

    private static CancellationToken Token => TestTime.Token;

    /// <summary>All lines that the program has written so far.</summary>
    public IReadOnlyList<JsonElement> Lines => _lines;

    /// <summary>The connection state changes so far.</summary>
    public IEnumerable<JsonElement> States => _lines.Where(line => line.TryGetProperty("state", out _));

    /// <param name="options">The options of <c>watch.mjs</c>.</param>
    public static async Task<JavaScriptWatch> StartAsync(object options) =>
        new(await NodeProgram.StartAsync("watch.mjs", null, JsonSerializer.Serialize(options)));

    public static Task<JavaScriptWatch> StartAsync(TestApi api, string userId, long? since = null, int? port = null, bool socket = true) =>
        StartAsync(new { baseUrl = Base(api, port), token = TestTokens.Create(userId), since, socket, random = 0.01 });

    public static Uri Base(TestApi api, int? port = null) => new UriBuilder(api.Address) { Port = port ?? api.Address.Port }.Uri;

    /// <summary>The next line that has this member. Earlier lines stay in <see cref="Lines"/>; if the program ends first, the test fails.</summary>
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

    /// <summary>The next item that the client yields.</summary>
    public async Task<JsonElement> ItemAsync() => (await NextAsync("item")).GetProperty("item");

    /// <summary>The seqs of the next items, which must all be updates.</summary>
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

    /// <summary>Answers the program's request for a fresh token.</summary>
    public Task GiveTokenAsync(string? token) => _program.SayAsync(JsonSerializer.Serialize(new { token }));

    /// <summary>Lets the consumer take this many more items.</summary>
    public Task LetTakeAsync(int count) => _program.SayAsync(JsonSerializer.Serialize(new { take = count }));

    /// <summary>Advances the clock of a program that was started with a manual one.</summary>
    public Task AdvanceAsync(double milliseconds) => _program.SayAsync(JsonSerializer.Serialize(new { advance = milliseconds }));

    /// <summary>Waits until the program has carried out all commands so far.</summary>
    public async Task SettleAsync()
    {
        await _program.SayAsync("""{"echo":true}""");
        await NextAsync("echo");
    }

    /// <summary>Aborts the watch through its signal and returns the remaining lines.</summary>
    public async Task<IReadOnlyList<JsonElement>> StopAsync()
    {
        await _program.SayAsync("""{"stop":true}""");
        return await _program.RestAsync(Token);
    }

    public ValueTask DisposeAsync() => _program.DisposeAsync();
}
