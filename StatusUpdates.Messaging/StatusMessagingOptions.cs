using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Messaging;

/// <summary>Publisher and subscriber of status updates. Read by all services.</summary>
public sealed class StatusMessagingOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "StatusMessaging";

    /// <summary>Put before every channel name, so that several systems can share one Redis. The same for all services.</summary>
    [Required(AllowEmptyStrings = true)]
    [StringLength(100)]
    public string ChannelPrefix { get; set; } = "";

    /// <summary>How long <see cref="StatusPublisher.TryPublishAsync"/> waits for Redis: the update is durable already, and the log makes up for it.</summary>
    public TimeSpan PublishTimeout { get; internal set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a subscribe waits for Redis to acknowledge it.</summary>
    public TimeSpan SubscribeTimeout { get; internal set; } = TimeSpan.FromSeconds(1);

    /// <summary>How many updates may wait for one asynchronous handler; beyond that the oldest are dropped and counted.</summary>
    public int HandlerCapacity { get; internal set; } = 1024;
}

[OptionsValidator]
internal sealed partial class StatusMessagingOptionsValidator : IValidateOptions<StatusMessagingOptions>;
