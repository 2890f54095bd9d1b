using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Messaging;

/// <summary>Settings of publisher and subscriber; configuration section <c>StatusMessaging</c>.</summary>
public sealed class StatusMessagingOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "StatusMessaging";

    /// <summary>Put before every channel name, so that several systems can share one Redis. Default: none.</summary>
    [Required(AllowEmptyStrings = true)]
    [StringLength(100)]
    public string ChannelPrefix { get; set; } = "";

    /// <summary>How long <see cref="StatusPublisher.TryPublishAsync"/> waits for Redis. Default 250 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:30")]
    public TimeSpan PublishTimeout { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a subscribe waits for Redis to acknowledge it. Default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:30")]
    public TimeSpan SubscribeTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How many updates may wait for one asynchronous handler; past that the oldest are dropped and counted. Default 1,024.</summary>
    [Range(1, 1_000_000)]
    public int HandlerCapacity { get; set; } = 1024;
}

[OptionsValidator]
internal sealed partial class StatusMessagingOptionsRules : IValidateOptions<StatusMessagingOptions>;

/// <summary>Names a failing setting by its configuration key.</summary>
internal sealed class StatusMessagingOptionsValidator : IValidateOptions<StatusMessagingOptions>
{
    public ValidateOptionsResult Validate(string? name, StatusMessagingOptions options)
    {
        // The generated rules call a setting <name>.<member>.
        var result = new StatusMessagingOptionsRules().Validate(StatusMessagingOptions.SectionName, options);
        return result.Failed
            ? ValidateOptionsResult.Fail(result.Failures.Select(failure => failure.Replace(
                StatusMessagingOptions.SectionName + ".", StatusMessagingOptions.SectionName + ":", StringComparison.Ordinal)))
            : result;
    }
}
