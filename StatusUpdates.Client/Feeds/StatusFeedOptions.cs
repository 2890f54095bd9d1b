using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

/// <summary>Where a feed begins and what it is about. Immutable.</summary>
public sealed record StatusFeedOptions
{
    /// <summary>
    /// The position after which it begins: a <see cref="StatusFeed.Cursor"/> of an earlier feed (kept by its <see cref="LogPosition.ToString"/>), or 0
    /// for the start of the log. A bare number is taken as well, but a log that was restored from a backup cannot be told by it. Null, the default,
    /// begins at the head at the time of connecting: updates from then on.
    /// </summary>
    public LogPosition? Since { get; init; }

    /// <summary>Only updates of this generation.</summary>
    public string? GenerationId { get; init; }

    /// <summary>Whether updates that are due together may come in one message. Makes no difference but in cost. Default true.</summary>
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
