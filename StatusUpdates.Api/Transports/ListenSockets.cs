using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Transports;

/// <summary>Socket settings that every connection inherits from the socket that accepted it.</summary>
internal static class ListenSockets
{
    private const int TcpProtocol = 6;
    private const int TcpUserTimeout = 18; // linux/tcp.h

    /// <summary>Limits a connection's buffers, and how long sent data may stay unacknowledged.</summary>
    public static void AddListenSockets(this IServiceCollection services)
    {
        services.AddOptions<KestrelServerOptions>().Configure<IOptions<ConnectionOptions>>(
            (kestrel, options) => kestrel.Limits.MaxResponseBufferSize = options.Value.ResponseBufferBytes);
        services.AddOptions<SocketTransportOptions>().Configure<IOptions<ConnectionOptions>>((transport, options) =>
        {
            // The transport has its own buffer, which is the one that plain HTTP and upgraded connections fill.
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

        // A peer whose host has vanished acknowledges nothing, and for a write-only stream only the system can detect that: by default after a
        // quarter of an hour (RFC 5482). Longer than the send time-out, which logs and counts its aborts.
        if (OperatingSystem.IsLinux())
        {
            Span<byte> milliseconds = stackalloc byte[sizeof(int)];
            BitConverter.TryWriteBytes(milliseconds, (int)(options.SendTimeout * 1.25).TotalMilliseconds);
            socket.SetRawSocketOption(TcpProtocol, TcpUserTimeout, milliseconds);
        }
    }
}
