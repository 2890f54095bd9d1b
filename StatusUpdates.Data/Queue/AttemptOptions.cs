using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Data.Queue;

/// <summary>The attempts at a generation. Read by the worker, and by the API for workers that connect to it; the same for both.</summary>
public sealed class AttemptOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Attempts";

    /// <summary>A generation fails permanently after this many failed attempts: transient failures, time-outs, expired leases.</summary>
    [Range(1, 100)]
    public int MaxFailures { get; set; } = 3;

    /// <summary>
    /// How long one attempt may take; it stops a provider that hangs. It counts as a transient failure, since usually a connection hangs.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "1.00:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>
    /// How long a generation waits for its next attempt after its first failure; doubled by each further one, minus a random part of up to half.
    /// </summary>
    public TimeSpan RetryBackOff { get; internal set; } = TimeSpan.FromSeconds(2);

    /// <summary>The longest wait for the next attempt, unless the provider asks for more.</summary>
    public TimeSpan MaxRetryBackOff { get; internal set; } = TimeSpan.FromMinutes(5);
}

[OptionsValidator]
internal sealed partial class AttemptOptionsValidator : IValidateOptions<AttemptOptions>;
