using System.ComponentModel.DataAnnotations;

namespace StatusUpdates.Webhooks;

/// <summary>How workers deliver to webhooks.</summary>
public sealed class WebhookDeliveryOptions : IValidatableObject
{
    /// <summary>Whether this process delivers; false for workers that only run jobs, while others deliver.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>
    /// How many deliveries to one user's webhooks are in flight at once in a process, up to 8 of them to one webhook: a user with slow or many webhooks
    /// gets no more.
    /// </summary>
    [Range(1, 1000)]
    public int UserInFlight { get; set; } = 32;

    /// <summary>
    /// How many deliveries to one address are in flight at once in a process, regardless of who owns the webhooks; half as many to receivers that are
    /// slow or fail.
    /// </summary>
    [Range(1, 10_000)]
    public int AddressInFlight { get; set; } = 64;

    /// <summary>How many deliveries to one webhook are in flight at once, each of another generation.</summary>
    public int InFlight { get; internal set; } = 8;

    /// <summary>How long a receiver may take, from the connection to the status and headers of its response.</summary>
    public TimeSpan Timeout { get; internal set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// For how many generations a webhook's updates may be pending; ten times as many updates may be pending in all. Beyond that, no more of its log
    /// is read.
    /// </summary>
    public int MaxPending { get; internal set; } = 1000;

    /// <summary>
    /// How long after the first, second, … failure a delivery is attempted again. After the last one it has failed. The example of Standard Webhooks;
    /// each varies by up to a fifth.
    /// </summary>
    public IReadOnlyList<TimeSpan> RetryDelays { get; internal set; } =
    [
        TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2), TimeSpan.FromHours(5),
        TimeSpan.FromHours(10), TimeSpan.FromHours(14), TimeSpan.FromHours(20), TimeSpan.FromHours(24),
    ];

    /// <summary>How many webhooks of one user are delivered to at once.</summary>
    public int UserWebhooks => UserInFlight / InFlight;

    /// <summary>How long to wait after a failure.</summary>
    /// <param name="failures">The number of failures, including this one.</param>
    /// <param name="jitter">A random number from 0 to 1.</param>
    /// <param name="retryAfter">How long the receiver asked to wait; the wait is at least that long.</param>
    /// <returns>Null if that was the last attempt.</returns>
    internal TimeSpan? DelayAfter(int failures, double jitter, TimeSpan? retryAfter)
    {
        if (failures > RetryDelays.Count)
        {
            return null;
        }

        // From a fifth less to a fifth more: deliveries that failed together must not be retried together.
        var wait = RetryDelays[failures - 1] * (0.8 + (0.4 * jitter));
        return retryAfter > wait ? retryAfter : wait;
    }

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (UserInFlight < InFlight)
        {
            yield return new($"Webhooks:Delivery:UserInFlight must be at least {InFlight}, the deliveries to one webhook.");
        }
    }
}
