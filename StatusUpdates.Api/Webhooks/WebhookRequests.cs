using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using StatusUpdates.Messaging;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Api.Webhooks;

/// <summary>Registers a webhook.</summary>
internal sealed record CreateWebhookRequest
{
    /// <summary>The maximum length of a description, in UTF-16 code units.</summary>
    public const int MaxDescriptionLength = 500;

    /// <summary>Where updates are posted: an absolute https URL without user name, password or fragment, of a host on the public internet.</summary>
    [Required]
    [StringLength(WebhookUrl.MaxLength)]
    public string? Url { get; init; }

    /// <summary>The owner's description.</summary>
    [StringLength(MaxDescriptionLength)]
    public string? Description { get; init; }

    /// <summary>Only updates with these statuses; all if omitted.</summary>
    public IReadOnlyList<GenerationStatus>? Statuses { get; init; }

    /// <summary>Only updates of these registered types; all if omitted.</summary>
    public IReadOnlyList<string>? Types { get; init; }
}

/// <summary>Changes a webhook; omitted members stay unchanged.</summary>
internal sealed class UpdateWebhookRequest
{
    private readonly HashSet<string> _given = new(StringComparer.Ordinal);

    /// <summary>Where updates are posted.</summary>
    [StringLength(WebhookUrl.MaxLength)]
    public string? Url { get; set => field = Given(value); }

    /// <summary>The owner's description; null removes it.</summary>
    [StringLength(CreateWebhookRequest.MaxDescriptionLength)]
    public string? Description { get; set => field = Given(value); }

    /// <summary>Only updates with these statuses; null for all.</summary>
    public IReadOnlyList<GenerationStatus>? Statuses { get; set => field = Given(value); }

    /// <summary>Only updates of these registered types; null for all.</summary>
    public IReadOnlyList<string>? Types { get; set => field = Given(value); }

    /// <summary>Whether updates are delivered. True, if they were not, also attempts pending deliveries at once.</summary>
    public bool? Enabled { get; set => field = Given(value); }

    /// <summary>Whether the request has this member, even if it is null.</summary>
    public bool Has(string member) => _given.Contains(member);

    private T Given<T>(T value, [CallerMemberName] string member = "")
    {
        _given.Add(member);
        return value;
    }
}

/// <summary>Rotates a webhook's secret.</summary>
internal sealed record RotateSecretRequest
{
    /// <summary>The maximum overlap: 7 days.</summary>
    public const int MaxOverlapSeconds = 7 * 24 * 60 * 60;

    /// <summary>The default overlap: one day.</summary>
    public const int DefaultOverlapSeconds = 24 * 60 * 60;

    /// <summary>How long messages are also signed with the earlier keys, in seconds. One day by default; 0 retires those keys at once.</summary>
    [Range(0, MaxOverlapSeconds)]
    public int? OverlapSeconds { get; init; }
}

/// <summary>Delivers a range of the log again.</summary>
internal sealed record ReplayRequest
{
    /// <summary>The range begins after this seq.</summary>
    [Required]
    [Range(0, LogPosition.MaxSeq)]
    public long? Since { get; init; }

    /// <summary>The last seq of the range; the webhook's position by default.</summary>
    [Range(0, LogPosition.MaxSeq)]
    public long? Until { get; init; }
}
