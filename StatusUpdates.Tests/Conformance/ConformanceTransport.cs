using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Conformance;

/// <summary>The operations that every transport offers, each implemented with its own requests.</summary>
internal static class ConformanceTransport
{
    public const string WebSocket = "websocket";
    public const string Events = "events";
    public const string Poll = "poll";

    public static TheoryData<string> All => [WebSocket, Events, Poll];

    /// <summary>Reads the updates after a cursor until the seq <paramref name="until"/> is reached.</summary>
    public static Task<List<JsonNode>> ReadAsync(string transport, ConformanceUser user, long since, long until) =>
        ReadAsync(transport, user, $"{since}", until);

    /// <inheritdoc cref="ReadAsync(string, ConformanceUser, long, long)"/>
    public static async Task<List<JsonNode>> ReadAsync(string transport, ConformanceUser user, string since, long until)
    {
        List<JsonNode> read = [];
        switch (transport)
        {
            case WebSocket:
                await using (var socket = await user.ConnectAsync($"?since={since}"))
                {
                    Assert.Equal(SeqOf(since), socket.Start);
                    do
                    {
                        read.Add(await socket.NextPayloadAsync());
                    }
                    while (Seq(read[^1]) < until);
                }

                break;
            case Events:
                await using (var stream = await user.StreamAsync($"?since={since}"))
                {
                    Assert.Equal(SeqOf(since), stream.Start);
                    do
                    {
                        read.Add(await stream.NextUpdateAsync());
                    }
                    while (Seq(read[^1]) < until);
                }

                break;
            default:
                read = await user.ReadAsync(since, update => Seq(update) >= until);
                break;
        }

        return read;
    }

    /// <summary>Starts at a position not in the log. Returns the position of the resync and the seq of the first update after it.</summary>
    public static Task<(long Resync, long Next)> ResyncAsync(string transport, ConformanceUser user, long since) =>
        ResyncAsync(transport, user, $"{since}");

    /// <inheritdoc cref="ResyncAsync(string, ConformanceUser, long)"/>
    public static async Task<(long Resync, long Next)> ResyncAsync(string transport, ConformanceUser user, string since)
    {
        switch (transport)
        {
            case WebSocket:
                await using (var socket = await user.ConnectAsync($"?since={since}"))
                {
                    var resync = await socket.NextAsync();
                    Assert.Equal(["type", "seq", "cursor"], resync.Select(member => member.Key));
                    Assert.Equal((long)resync["seq"]!, SeqOf((string)resync["cursor"]!));
                    Assert.Equal("resync", (string?)resync["type"]);
                    await user.SubmitAsync();
                    return ((long)resync["seq"]!, await socket.NextSeqAsync());
                }

            case Events:
                await using (var stream = await user.StreamAsync($"?since={since}"))
                {
                    var resync = await stream.NextResyncAsync();
                    await user.SubmitAsync();
                    return (resync, await stream.NextSeqAsync());
                }

            default:
                var page = await user.PollAsync($"?since={since}&timeout=60");
                Assert.True((bool?)page["resync"]);
                Assert.Empty(page["items"]!.AsArray());
                await user.SubmitAsync();
                return ((long)page["seq"]!, Seq((await user.PollAsync($"?since={(string)page["cursor"]!}&timeout=60"))["items"]![0]!));
        }
    }

    /// <summary>Sends a request without reading its stream, for requests that are refused.</summary>
    public static Task<HttpResponseMessage> RequestAsync(string transport, HttpClient http, string query) => transport switch
    {
        WebSocket => Handshake.ShakeAsync(http, query),
        Events => EventClient.SendAsync(http, ConformanceUser.Stream + query),
        _ => http.GetAsync(ConformanceUser.Poll + query, TestTime.Token),
    };

    /// <summary>The status of the answer to an accepted request.</summary>
    public static HttpStatusCode Accepted(string transport) => transport == WebSocket ? HttpStatusCode.SwitchingProtocols : HttpStatusCode.OK;

    public static long Seq(JsonNode payload) => (long)payload["seq"]!;

    /// <summary>The seq of a cursor.</summary>
    public static long SeqOf(string cursor) => long.Parse(cursor.Split('-')[0], CultureInfo.InvariantCulture);

    /// <summary>Asserts the same updates in the same order, with equal members.</summary>
    public static void AssertSame(IReadOnlyList<JsonNode> expected, IReadOnlyList<JsonNode> actual)
    {
        Assert.Equal(expected.Select(Seq), actual.Select(Seq));
        for (var i = 0; i < expected.Count; i++)
        {
            Assert.True(JsonNode.DeepEquals(expected[i], actual[i]), $"{expected[i].ToJsonString()} is not {actual[i].ToJsonString()}");
        }
    }
}
