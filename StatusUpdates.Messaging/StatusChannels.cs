using StackExchange.Redis;

namespace StatusUpdates.Messaging;

/// <summary>The Redis channels that status updates are published on. Braces mark placeholders; names are literal, never patterns.</summary>
public sealed class StatusChannels(StatusMessagingOptions options)
{
    private readonly string _userPrefix = options.ChannelPrefix + "generation:user:";

    /// <summary>One name for all users' channels in telemetry, without a user id.</summary>
    internal string UserTemplate { get; } = options.ChannelPrefix + "generation:user:{userId}";

    /// <summary>Every update of every user: <c>generation:status-updates</c>.</summary>
    public RedisChannel All { get; } = RedisChannel.Literal(options.ChannelPrefix + "generation:status-updates");

    /// <summary>Ids of running generations whose owner asked to cancel them: <c>generation:cancel-requests</c>. A hint to workers.</summary>
    public RedisChannel CancelRequests { get; } = RedisChannel.Literal(options.ChannelPrefix + "generation:cancel-requests");

    /// <summary>The channel's name in telemetry and logs, without a user id.</summary>
    internal string NameOf(RedisChannel channel) => ((string)channel!) is var name && name.StartsWith(_userPrefix, StringComparison.Ordinal) ? UserTemplate : name;

    /// <summary>One user's updates: <c>generation:user:{userId}</c>.</summary>
    public RedisChannel User(string userId) => RedisChannel.Literal(_userPrefix + userId);
}
