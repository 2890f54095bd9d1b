using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace StatusUpdates.Messaging;

/// <summary>
/// What is wrong with Redis though it is connected: a right that is missing, or messages that do not arrive. Nothing is lost by it, but updates come
/// late, from the database. Each trouble is logged once when it begins and once when it ends. Thread-safe.
/// </summary>
public sealed partial class MessagingWatch(ILogger<MessagingWatch>? logger = null)
{
    private readonly ILogger _logger = logger ?? NullLogger<MessagingWatch>.Instance;
    private readonly ConcurrentDictionary<string, string> _troubles = new(StringComparer.Ordinal);

    /// <summary>What is wrong, in words; null if nothing is.</summary>
    public string? Trouble => _troubles.IsEmpty ? null : string.Join(' ', _troubles.Values.Order(StringComparer.Ordinal));

    /// <summary>Redis refused it.</summary>
    /// <param name="what">What was to be done, such as <c>SUBSCRIBE generation:user:{userId}</c>.</param>
    /// <param name="answer">What Redis said (<c>NOPERM …</c>).</param>
    public void Denied(string what, string answer)
    {
        if (_troubles.TryAdd(what, $"Redis refuses {what}."))
        {
            LogDenied(what, answer);
        }
    }

    /// <summary>Messages do not arrive, or arrive again.</summary>
    public void Hears(bool arrives)
    {
        const string Arrival = "arrival";
        if (arrives)
        {
            Ended(Arrival);
        }
        else if (_troubles.TryAdd(Arrival, "Redis brings no message of updates that were committed."))
        {
            LogSilent();
        }
    }

    /// <summary>It went well, now or again.</summary>
    public void Ended(string what)
    {
        if (!_troubles.IsEmpty && _troubles.TryRemove(what, out _))
        {
            LogEnded(what);
        }
    }

    [LoggerMessage(1106, LogLevel.Warning,
        "Redis refuses {What}: {Answer}. The user of this connection needs the commands PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PING and ECHO, and the channels "
        + "generation:* behind the channel prefix (ACL SETUSER … +publish +subscribe +unsubscribe +ping +echo &<prefix>generation:*). Until then updates come from the database, up to a second later")]
    private partial void LogDenied(string what, string answer);

    [LoggerMessage(1107, LogLevel.Warning,
        "Redis is connected, but no message of updates that were committed arrives: does every service use the same Redis and the same StatusMessaging:ChannelPrefix, and may this one's user SUBSCRIBE? "
        + "Until then updates come from the database, up to a second later")]
    private partial void LogSilent();

    [LoggerMessage(1108, LogLevel.Information, "Redis does again what it did not: {What}")]
    private partial void LogEnded(string what);
}
