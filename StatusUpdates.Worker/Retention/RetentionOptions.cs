using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Worker.Retention;

/// <summary>What is kept for how long; configuration section <c>Retention</c>.</summary>
internal sealed class RetentionOptions
{
    public const string SectionName = "Retention";

    /// <summary>Whether anything is removed. By default in every environment but Development.</summary>
    public bool Enabled { get; set; }

    /// <summary>How long a generation is kept after its end, with its results. Default 90 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "36500.00:00:00")]
    public TimeSpan Generations { get; set; } = TimeSpan.FromDays(90);

    /// <summary>How long an update stays in its user's log. Clients that come back later get <c>resync</c>. Default 30 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "36500.00:00:00")]
    public TimeSpan Updates { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long a delivery to a webhook is shown after it was made. What is still to be delivered stays. Default 30 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "36500.00:00:00")]
    public TimeSpan Deliveries { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long after a pass the next one begins. Default 15 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How many rows one statement removes: generations, or about as many updates. Default 500.</summary>
    [Range(1, 10_000)]
    public int BatchSize { get; set; } = 500;
}

[OptionsValidator]
internal sealed partial class RetentionOptionsValidator : IValidateOptions<RetentionOptions>;
