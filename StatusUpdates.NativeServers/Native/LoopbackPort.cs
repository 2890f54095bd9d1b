using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace StatusUpdates.NativeServers.Native;

/// <summary>TCP ports of the loopback address.</summary>
internal static class LoopbackPort
{
    // Below the ports that Linux (from 32768) and macOS (from 49152) give to outgoing connections, which would take a port
    // between our choice and its use.
    private const int Lowest = 20000;
    private const int Highest = 32000;

    private static readonly ConcurrentDictionary<int, bool> HandedOut = new();

    /// <summary>A port that is free now and is handed out once per process. Another process may take it: then start again with another.</summary>
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

    /// <summary>Where a server may listen, be stopped and listen again: nothing that connects to somewhere gets its port meanwhile.</summary>
    public static Uri FindFreeAddress() => new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FindFree()}"));

    /// <summary>Whether nobody listens on the port, on IPv4 or (where there is one) IPv6 loopback.</summary>
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
            return true; // IPv6 is compiled in but off.
        }
    }
}
