namespace StatusUpdates.Api.Feeds;

/// <summary>
/// Frames that arrived before their predecessor. Bounded: frames that do not fit are dropped, since the log has them. Not thread-safe:
/// callers hold the feed's lock.
/// </summary>
internal sealed class ReorderBuffer(int capacity)
{
    private SortedList<long, (Frame Frame, long Arrival)>? _frames;
    private long _arrivals;

    /// <summary>
    /// The number of frames that were ever added; marks a moment for <see cref="RemoveUnconfirmed"/>. It never falls, not even in <see cref="Clear"/>,
    /// because a read of the log may be holding an earlier value.
    /// </summary>
    public long Arrivals => _arrivals;

    public int Count => _frames?.Count ?? 0;

    public void Add(Frame frame)
    {
        _frames ??= new(4);
        if (_frames.ContainsKey(frame.Position))
        {
            // A repeat: the first one stays. If it turns out not to follow the head, the feed reads the log.
            return;
        }

        if (_frames.Count >= capacity)
        {
            // The frames nearest to the head are the most useful.
            if (_frames.GetKeyAtIndex(_frames.Count - 1) < frame.Position)
            {
                return;
            }

            _frames.RemoveAt(_frames.Count - 1);
        }

        _frames.Add(frame.Position, (frame, ++_arrivals));
    }

    /// <summary>Takes the frame at the position after the head, if it is here; drops frames that the head has passed.</summary>
    public Frame? TakeNext(long head)
    {
        while (_frames is { Count: > 0 } frames && frames.GetKeyAtIndex(0) <= head + 1)
        {
            var frame = frames.GetValueAtIndex(0).Frame;
            frames.RemoveAt(0);
            if (frame.Position == head + 1)
            {
                return frame;
            }
        }

        return null;
    }

    /// <summary>Drops frames above the log's last entry that arrived before the log was read: they were never committed.</summary>
    public void RemoveUnconfirmed(long last, long arrivalsBeforeRead)
    {
        for (var i = Count - 1; i >= 0; i--)
        {
            if (_frames!.GetKeyAtIndex(i) > last && _frames.GetValueAtIndex(i).Arrival <= arrivalsBeforeRead)
            {
                _frames.RemoveAt(i);
            }
        }
    }

    public void Clear() => _frames = null;
}
