using System.Text.Json;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;

namespace StatusUpdates.Tests.Transports;

/// <summary>Event streams as third-party npm libraries read them.</summary>
public sealed class EventSourceTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData("eventsource")]
    [InlineData("event-source-polyfill")]
    public async Task An_event_source_reconnects_after_a_refusal_and_a_cut_misses_nothing_and_stops_at_the_end(string library)
    {
        await using var api = await TestApi.StartAsync(
            servers, new Dictionary<string, string?> { ["Gateway:Connections:MaxConnectionsPerUser"] = "1" });
        await using var proxy = new TcpProxy(api.Address.Port);
        var first = await api.PublishAsync("alice");
        var mine = await api.PublishAsync("alice");
        NodeProgram program;
        await using (await EventClient.ConnectAsync(api, "alice"))
        {
            program = await NodeProgram.StartAsync(
                "event-source.mjs", null, library, $"http://127.0.0.1:{proxy.Port}/api/v1/generations/{mine.GenerationId}/stream", TestTokens.Create("alice"));
            Assert.Equal("too_many_connections", (await NextAsync("unavailable")).GetProperty("data").GetProperty("code").GetString());
        }

        await using (program)
        {
            // There may be another refusal until the server has noticed that the other stream is closed.
            Assert.Equal(first.Cursor, (await NextAsync("connected", skip: "unavailable")).GetProperty("id").GetString());
            Assert.Equal(mine.Cursor, (await NextAsync("status_update")).GetProperty("id").GetString());
            proxy.Cut();
            var last = (await api.Database.CreateCommands().CancelAsync("alice", mine.GenerationId, cancellationToken: Token)).Update!;
            await api.AnnounceAsync(last);
            Assert.Equal(mine.Cursor, (await NextAsync("connected", skip: "unavailable")).GetProperty("id").GetString());
            var update = await NextAsync("status_update");
            Assert.Equal(
                (last.Cursor, "canceled"), (update.GetProperty("id").GetString(), update.GetProperty("data").GetProperty("status").GetString()));

            // It reconnects after the end and gets the signal to stop.
            Assert.Equal(["closed"], (await program.RestAsync(Token)).Select(line => line.GetProperty("type").GetString()!));
        }

        async Task<JsonElement> NextAsync(string type, string? skip = null)
        {
            JsonElement line;
            do
            {
                line = await program.NextAsync(Token);
            }
            while (line.GetProperty("type").GetString() == skip);

            Assert.Equal(type, line.GetProperty("type").GetString());
            return line;
        }
    }
}
