using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

/// <summary>Where a feed starts and which updates it includes. Immutable.</summary>
public sealed record StatusFeedOptions
{
    /// <summary>
    /// The position after which the feed starts: the <see cref="StatusFeed.Cursor"/> of an earlier feed (stored as its
    /// <see cref="LogPosition.ToString"/>), or 0 for the beginning of the log. A bare number works too, but cannot reveal that the log was
    /// restored from a backup. Null, the default, starts at the head at the time of connecting.
    /// </summary>
    public LogPosition? Since { get; init; }

    /// <summary>Only updates of this generation.</summary>
    public string? GenerationId { get; init; }

    /// <summary>Whether updates that are due together may arrive in one message. Affects only the cost. Default true.</summary>
    public bool Batch { get; init; } = true;

    internal void Validate()
    {
        if (Since is { Seq: < 0 or > LogPosition.MaxSeq })
        {
            throw new ArgumentOutOfRangeException(nameof(Since), Since, $"Must be 0 to {LogPosition.MaxSeq}.");
        }

        if (GenerationId is "")
        {
            throw new ArgumentException("Must be a generation's id, or null.", nameof(GenerationId));
        }
    }
}
