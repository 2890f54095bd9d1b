using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace StatusUpdates.Messaging;

/// <summary>
/// Problems with Redis while it is connected: a missing permission, or messages that do not arrive. Nothing is lost, but updates arrive late, from the
/// database. Each problem is logged once when it begins and once when it ends. Thread-safe.
/// </summary>
public sealed partial class MessagingWatch(ILogger<MessagingWatch>? logger = null)
{
    private readonly ILogger _logger = logger ?? NullLogger<MessagingWatch>.Instance;
    private readonly ConcurrentDictionary<string, string> _troubles = new(StringComparer.Ordinal);

    /// <summary>The current problems in words; null if there are none.</summary>
    public string? Trouble => _troubles.IsEmpty ? null : string.Join(' ', _troubles.Values.Order(StringComparer.Ordinal));

    /// <summary>Redis refused an operation.</summary>
    /// <param name="what">The operation, such as <c>SUBSCRIBE generation:user:{userId}</c>.</param>
    /// <param name="answer">Redis's answer (<c>NOPERM …</c>).</param>
    public void Denied(string what, string answer)
    {
        if (_troubles.TryAdd(what, $"Redis refuses {what}."))
        {
            LogDenied(what, answer);
        }
    }

    /// <summary>Records whether messages of committed updates arrive.</summary>
    public void Hears(bool arrives)
    {
        const string Arrival = "arrival";
        if (arrives)
        {
            Ended(Arrival);
        }
        else if (_troubles.TryAdd(Arrival, "Redis delivers no messages for committed updates."))
        {
            LogSilent();
        }
    }

    /// <summary>The operation succeeded, for the first time or again.</summary>
    public void Ended(string what)
    {
        if (!_troubles.IsEmpty && _troubles.TryRemove(what, out _))
        {
            LogEnded(what);
        }
    }

    [LoggerMessage(1106, LogLevel.Warning,
        "Redis refuses {What}: {Answer}. The Redis user of this connection needs the commands PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PING and ECHO, and the channels "
        + "generation:* with the channel prefix (ACL SETUSER … +publish +subscribe +unsubscribe +ping +echo &<prefix>generation:*). Until then updates arrive from the database, up to a second late")]
    private partial void LogDenied(string what, string answer);

    [LoggerMessage(1107, LogLevel.Warning,
        "Redis is connected, but no messages arrive for committed updates: does every service use the same Redis and the same StatusMessaging:ChannelPrefix, and may this service's Redis user SUBSCRIBE? "
        + "Until then updates arrive from the database, up to a second late")]
    private partial void LogSilent();

    [LoggerMessage(1108, LogLevel.Information, "The problem with Redis is over: {What}")]
    private partial void LogEnded(string what);
}
