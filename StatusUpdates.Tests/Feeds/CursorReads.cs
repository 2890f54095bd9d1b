using StatusUpdates.Api.Feeds;

namespace StatusUpdates.Tests.Feeds;

/// <summary>Reads cursors as a connection would, but only positions, not the frames' bytes.</summary>
internal static class CursorReads
{
    /// <summary>The positions of the next read; the cursor advances past them. Negative: a resync to that position.</summary>
    public static async Task<long[]> NextAsync(this FeedCursor cursor)
    {
        using var read = await cursor.ReadAsync(TestTime.Token);
        if (read.Kind == FeedReadKind.Resync)
        {
            return [-read.End.Seq];
        }

        var positions = read.Frames.ToArray().Select(frame => frame.Position).ToArray();
        if (read.Kind == FeedReadKind.Frames)
        {
            cursor.Advance(read.End);
        }

        return positions;
    }

    /// <summary>All positions that are available now.</summary>
    public static async Task<List<long>> DrainAsync(this FeedCursor cursor)
    {
        var all = new List<long>();
        while (true)
        {
            // The in-memory log answers at once: a read that has not completed found nothing, and the signal ends it.
            var reading = cursor.NextAsync();
            if (!reading.IsCompleted)
            {
                cursor.Signal();
            }

            var next = await reading;
            if (next.Length == 0)
            {
                return all;
            }

            all.AddRange(next);
        }
    }
}
