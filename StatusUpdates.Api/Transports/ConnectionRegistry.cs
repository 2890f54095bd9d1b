using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Transports;

/// <summary>The long-lived connections of this instance, counted against the limits from the handshake on. Thread-safe.</summary>
internal sealed class ConnectionRegistry(IOptions<ConnectionOptions> options)
{
    private static readonly ProblemResult Draining = Refusal(ProblemCodes.Draining, "This instance is shutting down; connect again.");

    private static readonly ProblemResult TooMany = Refusal(ProblemCodes.TooManyConnections, "This instance has too many connections open.");

    private static readonly ProblemResult TooManyOfUser = Refusal(ProblemCodes.TooManyConnections, "You have too many connections open.");

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _perUser = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<TransportConnection, byte> _connections = new();
    private int _count;
    private bool _draining;

    /// <summary>The running connections. Safe to enumerate while others open and close.</summary>
    public IEnumerable<TransportConnection> Connections => _connections.Select(pair => pair.Key);

    public int Count => Volatile.Read(ref _count);

    /// <summary>Counts a connection of this user, until <see cref="Leave"/>.</summary>
    /// <returns>Why it is not admitted; null: it is.</returns>
    public ProblemResult? TryEnter(string userId)
    {
        lock (_gate)
        {
            if (_draining)
            {
                return Draining;
            }

            if (_count >= options.Value.MaxConnections)
            {
                return TooMany;
            }

            var ofUser = _perUser.GetValueOrDefault(userId);
            if (ofUser >= options.Value.MaxConnectionsPerUser)
            {
                return TooManyOfUser;
            }

            _perUser[userId] = ofUser + 1;
            _count++;
            return null;
        }
    }

    /// <summary>The connection has ended, or could not be opened.</summary>
    public void Leave(string userId)
    {
        lock (_gate)
        {
            _count--;
            var left = _perUser[userId] - 1;
            if (left == 0)
            {
                _perUser.Remove(userId);
            }
            else
            {
                _perUser[userId] = left;
            }
        }
    }

    /// <summary>Registers the running connection with the clock and the drain.</summary>
    public void Attach(TransportConnection connection)
    {
        _connections.TryAdd(connection, 0);

        // A connection that was admitted just before the drain began may be missing from the drain's list.
        lock (_gate)
        {
            if (!_draining)
            {
                return;
            }
        }

        connection.Drain();
    }

    public void Detach(TransportConnection connection) => _connections.TryRemove(connection, out _);

    /// <summary>Admits no further connections.</summary>
    public void BeginDrain()
    {
        lock (_gate)
        {
            _draining = true;
        }
    }

    private static ProblemResult Refusal(ProblemCode code, string detail) => new(code, detail) { RetryAfter = TimeSpan.FromSeconds(5) };
}
