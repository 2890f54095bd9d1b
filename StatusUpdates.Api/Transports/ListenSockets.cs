using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Transports;

/// <summary>What every connection inherits from the socket that it was accepted on.</summary>
internal static class ListenSockets
{
    private const int TcpProtocol = 6;
    private const int TcpUserTimeout = 18; // linux/tcp.h

    /// <summary>Bounds what a connection holds, and how long the network may be silent about what was sent on it.</summary>
    public static void AddListenSockets(this IServiceCollection services)
    {
        services.AddOptions<KestrelServerOptions>().Configure<IOptions<ConnectionOptions>>(
            (kestrel, options) => kestrel.Limits.MaxResponseBufferSize = options.Value.ResponseBufferBytes);
        services.AddOptions<SocketTransportOptions>().Configure<IOptions<ConnectionOptions>>((transport, options) =>
        {
            // The transport has a buffer of its own, and it is this one that plain HTTP and upgraded connections fill.
            transport.MaxWriteBufferSize = options.Value.ResponseBufferBytes;
            var create = transport.CreateBoundListenSocket;
            transport.CreateBoundListenSocket = endpoint =>
            {
                var socket = create(endpoint);
                if (socket.ProtocolType == ProtocolType.Tcp)
                {
                    Configure(socket, options.Value);
                }

                return socket;
            };
        });
    }

    private static void Configure(Socket socket, ConnectionOptions options)
    {
        if (options.SendBufferBytes is { } size)
        {
            socket.SendBufferSize = size;
        }

        // A peer whose host vanished acknowledges nothing, and a stream that is only written to hears of it from the system alone: by
        // default after a quarter of an hour (RFC 5482). Longer than the send time-out, which tells and counts what it does.
        if (OperatingSystem.IsLinux())
        {
            Span<byte> milliseconds = stackalloc byte[sizeof(int)];
            BitConverter.TryWriteBytes(milliseconds, (int)(options.SendTimeout * 1.25).TotalMilliseconds);
            socket.SetRawSocketOption(TcpProtocol, TcpUserTimeout, milliseconds);
        }
    }
}
