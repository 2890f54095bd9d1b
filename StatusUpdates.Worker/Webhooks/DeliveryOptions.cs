using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Worker.Webhooks;

/// <summary>How webhooks are delivered to; configuration section <c>Webhooks:Delivery</c>.</summary>
internal sealed class DeliveryOptions : IValidateOptions<DeliveryOptions>
{
    public const string SectionName = "Webhooks:Delivery";

    /// <summary>Whether this process delivers. Default true; false for workers that are to run jobs alone, while others deliver.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>How long a receiver may take, from the connection to the status and headers of its answer. Default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How many deliveries to one webhook are under way at once, of as many generations. Default 8.</summary>
    [Range(1, 100)]
    public int InFlight { get; set; } = 8;

    /// <summary>
    /// How many deliveries to one user's webhooks are under way at once in this process, hence to how many of them
    /// (<see cref="UserWebhooks"/>): whose webhooks are slow or many takes no more. Default 32.
    /// </summary>
    [Range(1, 1000)]
    public int UserInFlight { get; set; } = 32;

    /// <summary>
    /// How many deliveries to one address are under way at once in this process, whoever's webhooks lead to it; half as many to receivers that are slow or
    /// fail. Default 64.
    /// </summary>
    [Range(1, 10_000)]
    public int AddressInFlight { get; set; } = 64;

    /// <summary>
    /// Of how many generations a webhook's updates may wait for another attempt, and a tenth of how many updates in all; beyond that its log is
    /// not read on. Default 1,000.
    /// </summary>
    [Range(1, 100_000)]
    public int MaxPending { get; set; } = 1000;

    /// <summary>
    /// How long after the first, second, … failure a delivery is attempted again. After the last it has failed. Default 5 s, 5 min, 30 min,
    /// 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: Standard Webhooks' example. Each varies by a fifth.
    /// </summary>
    public IList<TimeSpan> RetryDelays { get; } = [];

    /// <summary>How many webhooks of one user are delivered to at once.</summary>
    public int UserWebhooks => UserInFlight / InFlight;

    /// <summary>The delays in force.</summary>
    public IReadOnlyList<TimeSpan> Delays => RetryDelays.Count > 0 ? [.. RetryDelays] : DefaultDelays;

    private static readonly TimeSpan[] DefaultDelays =
    [
        TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2), TimeSpan.FromHours(5),
        TimeSpan.FromHours(10), TimeSpan.FromHours(14), TimeSpan.FromHours(20), TimeSpan.FromHours(24),
    ];

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, DeliveryOptions options) =>
        options.RetryDelays.Count > 50 || options.RetryDelays.Any(d => d < TimeSpan.FromMilliseconds(10) || d > TimeSpan.FromDays(7))
            ? ValidateOptionsResult.Fail($"{SectionName}:{nameof(RetryDelays)} must be at most 50 delays of 00:00:00.01 to 7.00:00:00.")
            : options.UserInFlight < options.InFlight
                ? ValidateOptionsResult.Fail($"{SectionName}:{nameof(UserInFlight)} must be at least {SectionName}:{nameof(InFlight)}, {options.InFlight}.")
                : ValidateOptionsResult.Success;
}

[OptionsValidator]
internal sealed partial class DeliveryOptionsValidator : IValidateOptions<DeliveryOptions>;
