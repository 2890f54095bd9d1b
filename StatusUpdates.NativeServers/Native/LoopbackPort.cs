using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.NativeServers.Native;

/// <summary>TCP ports on the loopback address.</summary>
internal static class LoopbackPort
{
    // Below the ports that Linux (from 32768) and macOS (from 49152) assign to outgoing connections, which could take a port
    // between its choice and its use.
    private const int Lowest = 20000;
    private const int Highest = 32000;

    private static readonly ConcurrentDictionary<int, bool> HandedOut = new();

    /// <summary>A port that is free now; never returned twice by one process. Another process may take it: then retry with another port.</summary>
    public static int FindFree()
    {
        for (var attempt = 0; attempt < 10_000; attempt++)
        {
            var port = Random.Shared.Next(Lowest, Highest);
            if (IsFree(port) && HandedOut.TryAdd(port, true))
            {
                return port;
            }
        }

        throw new InvalidOperationException($"No free port was found between {Lowest} and {Highest}.");
    }

    /// <summary>An address on which a server can listen, stop and listen again: outgoing connections do not get its port meanwhile.</summary>
    public static Uri FindFreeAddress() => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FindFree()}"));

    /// <summary>Whether nothing listens on the port, neither on the IPv4 nor (if there is one) the IPv6 loopback address.</summary>
    public static bool IsFree(int port) =>
        CanListen(IPAddress.Loopback, port) && (!Socket.OSSupportsIPv6 || CanListen(IPAddress.IPv6Loopback, port));

    private static bool CanListen(IPAddress address, int port)
    {
        using var listener = new TcpListener(address, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressAlreadyInUse)
        {
            return false;
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported)
        {
            return true; // IPv6 is supported but disabled.
        }
    }
}
