using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using StatusUpdates.Api.Transports.WebSockets;

namespace StatusUpdates.Benchmarks.Floor;

/// <summary>
/// The floor for deliveries: Kestrel with upgraded sockets, and a feed that specifies which bytes go to which user's sockets. No token, log,
/// cursor, check or time limit: no server that delivers over Kestrel's sockets can do less. The feed's records are
/// <c>length of user (2), user, length (4), bytes</c>; the bytes of one record are sent in one write to each socket.
/// </summary>
internal static class FloorServer
{
    private static readonly ConcurrentDictionary<string, List<Stream>> Sockets = new(StringComparer.Ordinal);

    public static Task RunAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        var app = builder.Build();
        app.MapGet("/ready", () => "ready");
        app.MapGet("/ws/status", ServeAsync);
        app.MapGet("/feed", FeedAsync);
        return app.RunAsync();
    }

    private static async Task ServeAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var (user, since) = (query["user"].ToString(), query["since"].ToString());
        var stream = await WebSocketHandshake.AcceptAsync(context);
        var hello = Encoding.ASCII.GetBytes($"{{\"type\":\"connected\",\"userId\":\"{user}\",\"seq\":{since}}}");
        await stream.WriteAsync((byte[])[0x81, (byte)hello.Length, .. hello], context.RequestAborted);
        var sockets = Sockets.GetOrAdd(user, _ => []);
        lock (sockets)
        {
            sockets.Add(stream);
        }

        // Reads only to notice the end of the connection.
        var ignored = new byte[1];
        while (await stream.ReadAsync(ignored, context.RequestAborted) > 0)
        {
        }
    }

    private static async Task FeedAsync(HttpContext context)
    {
        await using var feed = await WebSocketHandshake.AcceptAsync(context);
        await feed.WriteAsync("{\"connected\"}"u8.ToArray(), context.RequestAborted);
        await using var buffered = new BufferedStream(feed, 64 * 1024);
        var header = new byte[sizeof(ushort)];
        var length = new byte[sizeof(int)];
        var bytes = new byte[64 * 1024];
        while (await buffered.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, context.RequestAborted) == header.Length)
        {
            var user = bytes.AsMemory(0, BinaryPrimitives.ReadUInt16LittleEndian(header));
            await buffered.ReadExactlyAsync(user, context.RequestAborted);
            var sockets = Find(user.Span);
            await buffered.ReadExactlyAsync(length, context.RequestAborted);
            var record = bytes.AsMemory(0, BinaryPrimitives.ReadInt32LittleEndian(length));
            await buffered.ReadExactlyAsync(record, context.RequestAborted);
            await WriteAsync(sockets, record, context.RequestAborted);
        }
    }

    private static async ValueTask WriteAsync(List<Stream> sockets, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (sockets.Count == 1)
        {
            await sockets[0].WriteAsync(bytes, cancellationToken);
            return;
        }

        // On all processors, like the API's cursors.
        await Parallel.ForEachAsync(
            Enumerable.Range(0, Environment.ProcessorCount),
            cancellationToken,
            async (part, token) =>
            {
                for (var i = part; i < sockets.Count; i += Environment.ProcessorCount)
                {
                    await sockets[i].WriteAsync(bytes, token);
                }
            });
    }

    private static List<Stream> Find(ReadOnlySpan<byte> name)
    {
        Span<char> text = stackalloc char[name.Length];
        return Sockets.GetAlternateLookup<ReadOnlySpan<char>>()[text[..Encoding.UTF8.GetChars(name, text)]];
    }
}
