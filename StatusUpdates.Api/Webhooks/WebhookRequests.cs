using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using StatusUpdates.Data.Webhooks;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Webhooks;

/// <summary>Registers a webhook.</summary>
internal sealed record CreateWebhookRequest
{
    /// <summary>The longest description, in UTF-16 characters.</summary>
    public const int MaxDescriptionLength = 500;

    /// <summary>Where updates are posted: an absolute https URL without user name, password and fragment, of a host on the public internet.</summary>
    [Required]
    [StringLength(WebhookUrl.MaxLength)]
    public string? Url { get; init; }

    /// <summary>The owner's words about it.</summary>
    [StringLength(MaxDescriptionLength)]
    public string? Description { get; init; }

    /// <summary>Only updates of these statuses; all where it is left out.</summary>
    public IReadOnlyList<GenerationStatus>? Statuses { get; init; }

    /// <summary>Only updates of these types; all where it is left out.</summary>
    public IReadOnlyList<GenerationType>? Types { get; init; }
}

/// <summary>Changes a webhook: a member that is left out stays as it is.</summary>
internal sealed class UpdateWebhookRequest
{
    /// <summary>Where updates are posted.</summary>
    [StringLength(WebhookUrl.MaxLength)]
    public string? Url
    {
        get;
        set
        {
            field = value;
            HasUrl = true;
        }
    }

    /// <summary>The owner's words; null removes them.</summary>
    [StringLength(CreateWebhookRequest.MaxDescriptionLength)]
    public string? Description
    {
        get;
        set
        {
            field = value;
            HasDescription = true;
        }
    }

    /// <summary>Only updates of these statuses; null for all.</summary>
    public IReadOnlyList<GenerationStatus>? Statuses
    {
        get;
        set
        {
            field = value;
            HasStatuses = true;
        }
    }

    /// <summary>Only updates of these types; null for all.</summary>
    public IReadOnlyList<GenerationType>? Types
    {
        get;
        set
        {
            field = value;
            HasTypes = true;
        }
    }

    /// <summary>Whether updates are delivered. True, where they are not, also has what is pending attempted at once.</summary>
    public bool? Enabled
    {
        get;
        set
        {
            field = value;
            HasEnabled = true;
        }
    }

    [JsonIgnore]
    public bool HasUrl { get; private set; }

    [JsonIgnore]
    public bool HasDescription { get; private set; }

    [JsonIgnore]
    public bool HasStatuses { get; private set; }

    [JsonIgnore]
    public bool HasTypes { get; private set; }

    [JsonIgnore]
    public bool HasEnabled { get; private set; }
}

/// <summary>Rotates a webhook's secret.</summary>
internal sealed record RotateSecretRequest
{
    /// <summary>The longest overlap: 7 days.</summary>
    public const int MaxOverlapSeconds = 7 * 24 * 60 * 60;

    /// <summary>A day.</summary>
    public const int DefaultOverlapSeconds = 24 * 60 * 60;

    /// <summary>How long messages are signed with the earlier keys too, in seconds. A day by default; 0 ends them at once.</summary>
    [Range(0, MaxOverlapSeconds)]
    public int? OverlapSeconds { get; init; }
}

/// <summary>Delivers a range of the log again.</summary>
internal sealed record ReplayRequest
{
    /// <summary>The range begins after this seq.</summary>
    [Required]
    [Range(0, Queries.QueryReader.MaxSeq)]
    public long? Since { get; init; }

    /// <summary>The last seq of the range; the webhook's position by default.</summary>
    [Range(0, Queries.QueryReader.MaxSeq)]
    public long? Until { get; init; }
}
