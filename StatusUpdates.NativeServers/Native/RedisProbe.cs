using System.Net;
using System.Net.Sockets;
using System.Text;

namespace StatusUpdates.NativeServers.Native;

/// <summary>Checks whether a starting server is ready, with Redis's own protocol (RESP).</summary>
internal static class RedisProbe
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    /// <exception cref="ChildProcessException">The process exited, or did not answer in time.</exception>
    public static async Task WaitUntilReadyAsync(GuardedProcess process, int port, string? password, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        try
        {
            while (!await AnswersAsync(port, password, timeout.Token))
            {
                if (process.Exited.IsCompleted)
                {
                    throw ChildProcessException.Ended("the Redis server", await process.Exited, process.LastLines);
                }

                await Task.Delay(PollInterval, timeout.Token);
            }

            // Something answered; if the process has exited, it was another server on the same port.
            if (process.Exited.IsCompleted)
            {
                throw ChildProcessException.Ended("the Redis server", await process.Exited, process.LastLines);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw ChildProcessException.NotReady("the Redis server", limit, process.LastLines);
        }
    }

    private static async Task<bool> AnswersAsync(int port, string? password, CancellationToken cancellationToken)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
            var stream = client.GetStream();
            var login = password is null ? "" : $"*2\r\n$4\r\nAUTH\r\n${password.Length}\r\n{password}\r\n";
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"{login}*1\r\n$4\r\nPING\r\n"), cancellationToken);
            using var reader = new StreamReader(stream, Encoding.ASCII);
            return (password is null || await reader.ReadLineAsync(cancellationToken) == "+OK")
                && await reader.ReadLineAsync(cancellationToken) == "+PONG";
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }
}
