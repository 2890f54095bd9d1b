using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Messaging;

/// <summary>Settings of publisher and subscriber; configuration section <c>StatusMessaging</c>.</summary>
public sealed class StatusMessagingOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "StatusMessaging";

    /// <summary>Put before every channel name, so that several systems can share one Redis. Default: none.</summary>
    [Required(AllowEmptyStrings = true, ErrorMessage = "StatusMessaging:ChannelPrefix must be a string (empty is allowed).")]
    [StringLength(100, ErrorMessage = "StatusMessaging:ChannelPrefix must have 0 to 100 characters.")]
    public string ChannelPrefix { get; set; } = "";

    /// <summary>How long <see cref="StatusPublisher.TryPublishAsync"/> waits for Redis. Default 250 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:30", ErrorMessage = "StatusMessaging:PublishTimeout must be between 00:00:00.001 and 00:00:30.")]
    public TimeSpan PublishTimeout { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a subscribe waits for Redis to acknowledge it. Default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:30", ErrorMessage = "StatusMessaging:SubscribeTimeout must be between 00:00:00.001 and 00:00:30.")]
    public TimeSpan SubscribeTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How many updates may wait for one asynchronous handler; past that the oldest are dropped and counted. Default 1,024.</summary>
    [Range(1, 1_000_000, ErrorMessage = "StatusMessaging:HandlerCapacity must be between 1 and 1000000.")]
    public int HandlerCapacity { get; set; } = 1024;
}

[OptionsValidator]
internal sealed partial class StatusMessagingOptionsValidator : IValidateOptions<StatusMessagingOptions>;
