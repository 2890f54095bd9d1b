using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Webhooks;

/// <summary>Settings of registering webhooks; configuration section <c>Webhooks</c>.</summary>
internal sealed class WebhookOptions
{
    public const string SectionName = "Webhooks";

    /// <summary>How many webhooks one user may have. Default 20.</summary>
    [Range(1, 1000)]
    public int MaxPerUser { get; set; } = 20;

    /// <summary>How many webhooks of one user may lead to one URL, whatever its query. Default 5.</summary>
    [Range(1, 1000)]
    public int MaxPerUrl { get; set; } = 5;

    /// <summary>How long a name may take to be resolved when it is registered; past it the name is judged when something is delivered. Default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:05")]
    public TimeSpan ResolveTimeout { get; set; } = TimeSpan.FromSeconds(2);
}

[OptionsValidator]
internal sealed partial class WebhookOptionsValidator : IValidateOptions<WebhookOptions>;
