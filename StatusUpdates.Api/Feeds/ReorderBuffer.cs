namespace StatusUpdates.Api.Feeds;

/// <summary>
/// Frames that came before their predecessor. Bounded: what does not fit is dropped, since the log has it. Not thread-safe: the feed's
/// lock is held.
/// </summary>
internal sealed class ReorderBuffer(int capacity)
{
    private SortedList<long, (Frame Frame, long Arrival)>? _frames;
    private long _arrivals;

    /// <summary>How many frames ever came; marks a moment for <see cref="RemoveUnconfirmed"/>.</summary>
    public long Arrivals => _arrivals;

    public int Count => _frames?.Count ?? 0;

    public void Add(Frame frame)
    {
        _frames ??= new(4);
        if (_frames.ContainsKey(frame.Position))
        {
            return;
        }

        if (_frames.Count >= capacity)
        {
            // The nearest to the head are the ones that can still be of use.
            if (_frames.GetKeyAtIndex(_frames.Count - 1) < frame.Position)
            {
                return;
            }

            _frames.RemoveAt(_frames.Count - 1);
        }

        _frames.Add(frame.Position, (frame, ++_arrivals));
    }

    /// <summary>Takes the frame that follows the head, if it is here; drops those that the head has passed.</summary>
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

    /// <summary>Drops frames above the log's last entry that had come before the log was read: nobody committed them.</summary>
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
