using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace StatusUpdates.Tests.Egress;

/// <summary>
/// A receiver that stores requests as they arrived, and gives every request the same answer, after which it keeps the connection open or closes it.
/// </summary>
internal sealed class RawReceiver(
    IPAddress? address = null, int port = 0, string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", bool closes = false)
    : LoopbackTcpServer(address, port)
{
    public ConcurrentQueue<string> Requests { get; } = [];

    protected override async Task ServeAsync(TcpClient client)
    {
        var stream = client.GetStream();
        var buffer = new byte[64 * 1024];
        while (await stream.ReadAsync(buffer, Stopped) is var length and > 0)
        {
            Requests.Enqueue(Encoding.ASCII.GetString(buffer, 0, length));
            await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), Stopped);
            if (closes)
            {
                return;
            }
        }
    }
}
