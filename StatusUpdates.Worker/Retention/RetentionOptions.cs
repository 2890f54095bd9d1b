using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Worker.Retention;

/// <summary>How long data is kept. Read by the worker.</summary>
internal sealed class RetentionOptions
{
    public const string SectionName = "Retention";

    /// <summary>Whether anything is removed.</summary>
    /// <value>true; false in Development</value>
    public bool Enabled { get; set; }

    /// <summary>How long a completed, failed or canceled generation is kept after its end, with its results.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "36500.00:00:00")]
    public TimeSpan Generations { get; set; } = TimeSpan.FromDays(90);

    /// <summary>How long an update stays in its user's log. Clients that come back later get <c>resync</c>.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "36500.00:00:00")]
    public TimeSpan Updates { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long a webhook's finished delivery is kept after its creation. Pending deliveries stay.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "36500.00:00:00")]
    public TimeSpan Deliveries { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long after a pass the next one begins.</summary>
    public TimeSpan Interval { get; internal set; } = TimeSpan.FromMinutes(15);

    /// <summary>How many rows one statement removes at most: generations, or about as many updates. Writers wait for the rest of one statement.</summary>
    public int BatchSize { get; internal set; } = 500;
}

[OptionsValidator]
internal sealed partial class RetentionOptionsValidator : IValidateOptions<RetentionOptions>;
