using System.Collections.Concurrent;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Transports;

internal enum AdmissionRefusal
{
    None,
    TooManyConnections,
    TooManyConnectionsOfUser,
    Draining,
}

/// <summary>The long-lived connections of this instance, counted against their limits from the handshake on. Thread-safe.</summary>
internal sealed class ConnectionRegistry(IOptions<ConnectionOptions> options)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _perUser = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<ITransportConnection, byte> _connections = new();
    private int _count;
    private bool _draining;

    /// <summary>The connections that run. Safe to enumerate while others come and go.</summary>
    public IEnumerable<ITransportConnection> Connections => _connections.Select(pair => pair.Key);

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _count;
            }
        }
    }

    /// <summary>Takes a place for a connection of this user.</summary>
    /// <param name="userId">Whose connection.</param>
    /// <param name="place">The place; dispose it when the connection has ended, or did not come about.</param>
    public AdmissionRefusal TryAdmit(string userId, out Place? place)
    {
        place = null;
        lock (_gate)
        {
            if (_draining)
            {
                return AdmissionRefusal.Draining;
            }

            if (_count >= options.Value.MaxConnections)
            {
                return AdmissionRefusal.TooManyConnections;
            }

            var ofUser = _perUser.GetValueOrDefault(userId);
            if (ofUser >= options.Value.MaxConnectionsPerUser)
            {
                return AdmissionRefusal.TooManyConnectionsOfUser;
            }

            _perUser[userId] = ofUser + 1;
            _count++;
        }

        place = new Place(this, userId);
        return AdmissionRefusal.None;
    }

    /// <summary>Admits nobody from now on.</summary>
    public void BeginDrain()
    {
        lock (_gate)
        {
            _draining = true;
        }
    }

    private void Leave(string userId, ITransportConnection? connection)
    {
        if (connection is not null)
        {
            connection.Release();
            _connections.TryRemove(connection, out _);
        }

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

    /// <summary>A connection's place.</summary>
    public sealed class Place(ConnectionRegistry registry, string userId) : IDisposable
    {
        private ITransportConnection? _connection;
        private bool _left;

        /// <summary>The connection runs: the clock and the drain see it from now on.</summary>
        public void Hold(ITransportConnection connection)
        {
            _connection = connection;
            registry._connections.TryAdd(connection, 0);

            // One that came through the door as the drain began would be missed by it.
            bool draining;
            lock (registry._gate)
            {
                draining = registry._draining;
            }

            if (draining)
            {
                connection.Drain();
            }
        }

        public void Dispose()
        {
            if (!_left)
            {
                _left = true;
                registry.Leave(userId, _connection);
            }
        }
    }
}
