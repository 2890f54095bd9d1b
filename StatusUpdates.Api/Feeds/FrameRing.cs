using System.Numerics;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// The latest frames of a feed by position, bounded in number and bytes; a single frame may be larger. A cache: frames that are not in it are in the
/// log.
/// Concurrency: writers hold the feed's lock; readers take no lock.
/// Invariant: several positions share a slot, so a slot may hold the frame of another position, or none; readers compare positions and so never get
/// a wrong frame.
/// A frame is in the ring before its position is published as the head.
/// </summary>
internal sealed class FrameRing(int maxFrames, int maxBytes)
{
    private const int InitialSlots = 8;

    // A power of two, so that a mask finds a position's slot.
    private readonly int _maxSlots = (int)BitOperations.RoundUpToPowerOf2((uint)maxFrames);
    private Frame?[]? _slots;
    private long _first;
    private long _next;
    private long _bytes;

    public bool IsEmpty => _first == _next;

    /// <summary>Any thread: the frame at a position, or null if it is not (or no longer) here.</summary>
    public Frame? Find(long position)
    {
        var slots = Volatile.Read(ref _slots);
        var frame = slots is null ? null : Volatile.Read(ref slots[position & (slots.Length - 1)]);
        return frame?.Position == position ? frame : null;
    }

    /// <summary>Writers: adds the frame that follows the latest one; after a jump the ring starts over.</summary>
    public void Append(Frame frame)
    {
        if (frame.Position != _next)
        {
            Clear();
            _first = _next = frame.Position;
        }

        var slots = _slots;
        if (slots is null || (_next - _first == slots.Length && slots.Length < _maxSlots))
        {
            slots = Grow(slots);
        }
        else if (_next - _first == slots.Length)
        {
            RemoveFirst(slots);
        }

        Volatile.Write(ref slots[_next & (slots.Length - 1)], frame);
        _next++;
        _bytes += frame.Wire.Length;
        while (_bytes > maxBytes && _next - _first > 1)
        {
            RemoveFirst(slots);
        }
    }

    /// <summary>Writers: removes all frames and releases their memory.</summary>
    public void Clear()
    {
        Volatile.Write(ref _slots, null);
        _first = _next;
        _bytes = 0;
    }

    private Frame?[] Grow(Frame?[]? old)
    {
        var slots = new Frame?[old is null ? Math.Min(InitialSlots, _maxSlots) : old.Length * 2];
        for (var position = _first; position < _next; position++)
        {
            slots[position & (slots.Length - 1)] = old![position & (old.Length - 1)];
        }

        Volatile.Write(ref _slots, slots);
        return slots;
    }

    private void RemoveFirst(Frame?[] slots)
    {
        ref var slot = ref slots[_first & (slots.Length - 1)];
        _bytes -= slot!.Wire.Length;
        Volatile.Write(ref slot, null);
        _first++;
    }
}
